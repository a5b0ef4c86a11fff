//! The forms of tests, their outcomes and reasons, in Python.

use libtest_mimic::Trial;
use ruminate_core::{CodeReward, Outcome};
use ruminate_rewards::code::CodeOutcome::{
    self, CompileError, Forbidden, MemoryLimit, OutputLimit, Passed, RuntimeError, TimeLimit, WrongAnswer,
};
use ruminate_rewards::code::{CodeError, check_task, grade};
use serde_json::json;

use crate::support::{asserts, check, sandbox, task, test, verdict};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("output_is_compared_outside_of_the_program", output_is_compared_outside_of_the_program),
        test("output_of_200_kb_passes_and_no_prefix_of_it", output_of_200_kb_passes_and_no_prefix_of_it),
        test("a_checker_judges_outputs", a_checker_judges_outputs),
        test("a_checker_that_fails_is_a_bad_task", a_checker_that_fails_is_a_bad_task),
        test("values_of_calls_are_compared", values_of_calls_are_compared),
        test("methods_of_solution_are_called", methods_of_solution_are_called),
        test("a_call_that_ends_the_process_fails_its_own_test_only", a_call_that_ends_the_process_fails_its_own_test_only),
        test("limits_have_outcomes_of_their_own", limits_have_outcomes_of_their_own),
        test("a_slow_test_does_not_eat_the_time_of_others", a_slow_test_does_not_eat_the_time_of_others),
        test("all_tests_together_have_a_limit_if_asked", all_tests_together_have_a_limit_if_asked),
        test("assertions_run_to_their_end", assertions_run_to_their_end),
        test("assertions_see_values_exceptions_and_objects", assertions_see_values_exceptions_and_objects),
        test("setup_wins_over_the_program_but_for_the_entry_point", setup_wins_over_the_program_but_for_the_entry_point),
        test("a_prefix_is_completed_or_replaced", a_prefix_is_completed_or_replaced),
        test("fractions_count_all_tests", fractions_count_all_tests),
        test("bad_tasks_are_found_before_anything_runs", bad_tasks_are_found_before_anything_runs),
        test("a_test_that_is_no_python_is_a_bad_task", a_test_that_is_no_python_is_a_bad_task),
    ]
}

fn output_is_compared_outside_of_the_program() {
    let sum = task(json!({"language": "python", "tests": [{"stdin": "1 2\n", "stdout": "3\n"}, {"stdin": "5 5\n", "stdout": "10\n"}]}));
    check(&sum, "print(sum(map(int, input().split())))", Passed, "all 2 tests hold");
    check(&sum, "a, b = map(int, input().split())\nprint(a * b + 1)", WrongAnswer, "test 2: line 1: expected '10', got '26'");
    check(&sum, "print(", CompileError, "SyntaxError");
    check(&sum, "print(1 // 0)", RuntimeError, "test 1: exit code 1: ZeroDivisionError");
    check(&sum, "import sys\nprint(sum(map(int, input().split())))\nsys.exit(3)", RuntimeError, "exit code 3");
    check(&sum, "import os\nos.abort()", RuntimeError, "SIGABRT");
    check(&sum, "print(sum(map(int, input().split())))\nexit()", Passed, "");
    let close = task(json!({"language": "python", "tests": [{"stdout": "0.333333"}], "compare": "float", "tolerance": 1e-5}));
    check(&close, "print(1 / 3)", Passed, "");
    check(&close, "print(0.334)", WrongAnswer, "word 1: expected '0.333333', got '0.334'");
}

fn output_of_200_kb_passes_and_no_prefix_of_it() {
    let stdout: String = (0..30_000).map(|number| format!("{number}\n")).collect();
    assert!(stdout.len() > 150_000);
    let task = task(json!({"language": "python", "tests": [{"stdin": stdout, "stdout": stdout}]}));
    check(&task, "import sys\nfor line in sys.stdin: print(line, end='', flush=True)", Passed, "");
    check(&task, "import sys\nsys.stdout.write(sys.stdin.read())", Passed, "");
    check(&task, "for i in range(29999): print(i)", WrongAnswer, "line 30000: expected '29999', got the end of the output");
    check(&task, "import os\nfor i in range(25000): print(i, flush=True)\nos._exit(0)", WrongAnswer, "line 25001");
}

fn a_checker_judges_outputs() {
    let checker = "import sys\nn = int(open(sys.argv[1]).read())\na, b = map(int, open(sys.argv[2]).read().split())\n\
        assert open(sys.argv[3]).read() == 'any'\nif a + b != n:\n    print(f'{a} + {b} is not {n}')\n    sys.exit(1)\n";
    let task = task(
        json!({"language": "python", "tests": [{"stdin": "10", "stdout": "any"}], "checker": {"language": "python", "program": checker}}),
    );
    check(&task, "print(4, int(input()) - 4)", Passed, "");
    check(&task, "print(4, 4)", WrongAnswer, "test 1: the checker says: 4 + 4 is not 10");
}

fn a_checker_that_fails_is_a_bad_task() {
    for (program, reason) in [("import os\nos._exit(9)", "found exit code 9"), ("import os\nos.abort()", "SIGABRT")] {
        let task = task(json!({"language": "python", "tests": [{"stdout": ""}], "checker": {"language": "python", "program": program}}));
        let error = grade(sandbox(), &task, "pass").unwrap_err();
        assert!(matches!(&error, CodeError::BadTask(message) if message.contains(reason)), "{error}");
    }
}

fn values_of_calls_are_compared() {
    let call = |args: serde_json::Value, expect: serde_json::Value| {
        task(json!({"language": "python", "tests": [{"call": "f", "args": args, "expect": expect}]}))
    };
    let echo = "def f(*args): return args[0]";
    for value in [
        json!(null),
        json!(true),
        json!(-3),
        json!(2.5),
        json!("a\u{0}é😀\"\\"),
        json!([1, [2, "x"]]),
        json!({"a": {"b": [null]}}),
        json!({"$int": "-123456789012345678901234567890"}),
    ] {
        check(&call(json!([value]), value), echo, Passed, "");
    }
    check(&call(json!([]), json!([1, 2])), "def f(): return 1, 2", Passed, "");
    check(&call(json!([]), json!({"1": "x"})), "def f(): return {1: 'x'}", Passed, "");
    check(&call(json!([]), json!({"$int": "1267650600228229401496703205376"})), "def f(): return 2 ** 100", Passed, "");
    check(&call(json!([]), json!({"$int": "1267650600228229401496703205376"})), "def f(): return 2.0 ** 100 + 2.0 ** 60", WrongAnswer, "");
    check(&call(json!([]), json!(0.3)), "def f(): return 0.1 + 0.2", Passed, "");
    check(&call(json!([2, 3]), json!(5)), "def f(a, b): return a * b", WrongAnswer, "test 1: f(2, 3): expected 5, got 6");
    check(&call(json!([]), json!([1, 2])), "def f(): return {1, 2}", WrongAnswer, "expected [1, 2], got set [1,2]");
    check(&call(json!([]), json!(1)), "def f(): return float('nan')", WrongAnswer, "got NaN");
    check(&call(json!([]), json!("x")), "def f(): return '\\ud800'", RuntimeError, "expected an answer of the driver");
    check(&call(json!([]), json!(1)), "def f(): raise ValueError('no good')", RuntimeError, "ValueError: no good in f()");
    check(&call(json!([]), json!(1)), "def g(): return 1", RuntimeError, "the program does not define f");
    check(&call(json!([]), json!(1)), "def f(x): return 1", RuntimeError, "TypeError");
    check(&call(json!([]), json!(1)), "def f(:", CompileError, "SyntaxError");
    check(&call(json!([]), json!(1)), "import no_such_module_at_all", RuntimeError, "ModuleNotFoundError");
    check(&call(json!([]), json!(1)), "def f():\n    a = []\n    a.append(a)\n    return a", RuntimeError, "RecursionError");
    check(&call(json!([]), json!(1)), "if __name__ == '__main__':\n    raise SystemExit\ndef f(): return 1", Passed, "");
}

fn methods_of_solution_are_called() {
    let prefix = "from typing import *\nimport collections";
    let tests =
        json!([{"call": "twoSum", "args": [[2, 7, 11], 9], "expect": [0, 1]}, {"call": "twoSum", "args": [[3, 3], 6], "expect": [0, 1]}]);
    let task = task(json!({"language": "python", "prefix": prefix, "tests": tests}));
    let program = "class Solution:\n    def __init__(self):\n        self.seen = {}\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        \
        for i, n in enumerate(nums):\n            if target - n in self.seen:\n                return [self.seen[target - n], i]\n            self.seen[n] = i\n";
    check(&task, program, Passed, "");
}

fn a_call_that_ends_the_process_fails_its_own_test_only() {
    let calls: Vec<_> = (0..6).map(|n| json!({"call": "f", "args": [n], "expect": n * n})).collect();
    let task = task(json!({"language": "python", "tests": calls, "reward": "fraction"}));
    let found = verdict(&task, "import os\ndef f(n):\n    if n == 2: os._exit(0)\n    if n == 4: os.abort()\n    return n * n");
    assert_eq!((found.passed, found.total, found.verdict), (4, 6, RuntimeError), "{found:?}");
    assert_eq!(found.reason, "test 3: the program ended before it was asked to");
    // The second call of a process ends it: no test is the second call of a new one.
    let found = verdict(
        &task,
        "import os\nn_calls = 0\ndef f(n):\n    global n_calls\n    n_calls += 1\n    if n_calls == 2: os._exit(0)\n    return n * n",
    );
    assert_eq!((found.passed, found.verdict), (6, Passed), "{found:?}");
}

fn limits_have_outcomes_of_their_own() {
    let output = json!({"stdin": "", "stdout": "x"});
    let call = json!({"call": "f", "args": [], "expect": 1});
    let assert = json!({"assert": "assert f() == 1"});
    let programs: [(&str, CodeOutcome); 5] = [
        ("while True: pass", TimeLimit),
        ("import time\ntime.sleep(100)", TimeLimit),
        ("x = [0] * (1 << 40)", MemoryLimit),
        ("while True: print('x' * 1000000)", OutputLimit),
        ("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)", Forbidden),
    ];
    for (program, outcome) in programs {
        let wrapped = format!("def f():\n    {}", program.replace('\n', "\n    "));
        for (form, program) in [(&output, program), (&call, wrapped.as_str()), (&assert, wrapped.as_str())] {
            let task = task(json!({"language": "python", "tests": [form], "limits": {"seconds": 1.0, "mebibytes": 256}}));
            let found = verdict(&task, program);
            // A raised `MemoryError` is an exception like any other to the text of a test.
            let is_raised = outcome == MemoryLimit && *form == assert && found.reason.contains("MemoryError");
            assert!(found.verdict == outcome || is_raised, "{form}: {found:?}\n{program}");
        }
    }
}

fn a_slow_test_does_not_eat_the_time_of_others() {
    let program = "import time\ndef f(n):\n    time.sleep(0.5 if n != 1 else 5)\n    return n";
    let forms = [|n: i32| json!({"call": "f", "args": [n], "expect": n}), |n: i32| json!({"assert": format!("assert f({n}) == {n}")})];
    for form in forms {
        let tests: Vec<_> = (0..4).map(form).collect();
        let task = task(json!({"language": "python", "tests": tests, "limits": {"seconds": 1.0}, "reward": "fraction"}));
        let found = verdict(&task, program);
        assert_eq!((found.passed, found.verdict), (3, TimeLimit), "{found:?}");
        assert!(found.reason.starts_with("test 2: "), "{found:?}");
        assert!((2500..9000).contains(&found.millis), "{found:?}");
    }
}

fn all_tests_together_have_a_limit_if_asked() {
    let tests: Vec<_> = (0..20).map(|_| json!({"stdout": ""})).collect();
    let task = task(json!({"language": "python", "tests": tests, "limits": {"total_seconds": 1.0}, "reward": "fraction"}));
    let found = verdict(&task, "import time\ntime.sleep(0.4)");
    assert!(found.passed < 4 && found.verdict == TimeLimit && found.reason.contains("for all tests"), "{found:?}");
}

fn assertions_run_to_their_end() {
    let task = asserts(&["assert f(2) == 4\nassert f(3) == 9", "for i in range(50):\n    assert f(i) == i * i"]);
    check(&task, "def f(x): return x * x", Passed, "all 2 tests hold");
    check(&task, "def f(x): return x + 2", WrongAnswer, "test 1: assert f(3) == 9: does not hold; f(3) gave 5");
    check(&task, "def f(x): return x * x if x < 40 else 0", WrongAnswer, "test 2: assert f(i) == i * i: does not hold; f(40) gave 0");
    check(&task, "def f(x): return None", WrongAnswer, "f(2) gave None");
    check(&task, "def f(x): raise KeyError(x)", RuntimeError, "KeyError: 2 in f(2) (assert f(2) == 4)");
    check(&task, "def g(x): return x", RuntimeError, "name 'f' is not defined");
    check(&task, "def f(x) return x", CompileError, "SyntaxError");
    check(&task, "x = 1 / 0", RuntimeError, "ZeroDivisionError: division by zero while the program was loaded");
    check(&task, "", RuntimeError, "name 'f' is not defined");
    let message = asserts(&["assert f(1) == 2, 'twice one'"]);
    check(&message, "def f(x): return 3", WrongAnswer, "twice one");
}

fn assertions_see_values_exceptions_and_objects() {
    let program = "
import collections, datetime, decimal, enum, math
class Empty(ValueError): pass
class Color(enum.IntEnum): RED = 1
class Stack:
    def __init__(self, *items): self.items = list(items)
    def push(self, item): self.items.append(item); return self
    def pop(self):
        if not self.items: raise Empty('nothing left')
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __getitem__(self, at): return self.items[at]
Point = collections.namedtuple('Point', 'x y')
LIMIT = 7
def echo(x): return x
def kinds(): return [Point(1, 2), Color.RED, collections.Counter('aab'), collections.OrderedDict(a=1), datetime.date(2020, 1, 2), decimal.Decimal('1.50'), range(3), {1, 2}, b'x', 1j]
def sort_in_place(xs): xs.sort(); xs[0][0] = 9
def apply(f, *args, **kwargs): return f(*args, **kwargs)
def count(n):
    while True: yield n; n += 1
def make_adder(n): return lambda x: x + n
";
    let texts = [
        "s = Stack(1)\nassert s.push(2).push(3).pop() == 3 and len(s) == 2 and list(s) == [1, 2] and s[0] == 1 and s.items == [1, 2] and 2 in s",
        "assert isinstance(Stack(), Stack) and not isinstance(3, Stack)\ns = Stack()\nassert s is not None and s != None and echo(s) is s",
        "try:\n    Stack().pop()\n    raise AssertionError('no exception')\nexcept Empty as error:\n    assert str(error) == 'nothing left'",
        "try:\n    Stack().pop()\n    assert False\nexcept ValueError:\n    pass",
        "assert kinds() == [(1, 2), 1, {'a': 2, 'b': 1}, {'a': 1}, datetime.date(2020, 1, 2), decimal.Decimal('1.5'), range(3), {1, 2}, b'x', 1j]",
        "assert LIMIT == 7 and type(echo({'a': (1, None)})) is dict and math.isclose(echo(0.1) + 0.2, 0.3)",
        "xs = [[3], [1], [2]]\ninner = xs[0]\nsort_in_place(xs)\nassert xs == [[9], [2], [3]]",
        "assert apply(lambda a, b=2: a * b, 4, b=5) == 20\ntry:\n    apply(lambda: 1 / 0)\n    assert False\nexcept ZeroDivisionError:\n    pass",
        "import itertools\nassert list(itertools.islice(count(3), 3)) == [3, 4, 5]\nassert make_adder(2)(3) == 5 and callable(make_adder)",
        "assert echo(10 ** 50) == 10 ** 50 and echo(float('inf')) == float('inf') and echo('\\ud800') == '\\ud800' and echo([1, (2, {3: {4}})]) == [1, (2, {3: {4}})]",
        "assert apply(len, [1, 2]) == 2 and apply(sorted, [2, 1]) == [1, 2] and apply(echo, 5) == 5 and echo(int) is int",
        "assert sum(echo(x for x in range(4))) == 6 and list(echo(map(str, [1]))) == ['1']",
    ];
    for text in texts {
        check(&asserts(&[text]), program, Passed, "");
    }
    check(&asserts(&["assert Stack() == Stack()"]), program, WrongAnswer, "gave an object (Stack) where the test compares values");
    check(&asserts(&["class Mine: pass\necho(Mine())"]), program, WrongAnswer, "cannot cross");
}

fn setup_wins_over_the_program_but_for_the_entry_point() {
    let setup = "def double(x):\n    return 2 * x\ndef half(x):\n    ''' the head that the program completes '''\n";
    let task =
        task(json!({"language": "python", "setup": setup, "entry_point": "half", "tests": [{"assert": "assert half(double(4)) == 4"}]}));
    check(&task, "def half(x): return x // 2", Passed, "");
    check(&task, "def half(x): return 4\ndef double(x): return 4", Passed, "");
    check(&task, "def double(x): return 4\ndef half(x): return x", WrongAnswer, "half(8) gave 8");
    check(&task, "def double(x): return 8", RuntimeError, "name 'half' is not defined");
}

fn a_prefix_is_completed_or_replaced() {
    let prefix = "import math\n\ndef area(r):\n    \"\"\"Area of a disc.\"\"\"\n";
    let task = task(
        json!({"language": "python", "prefix": prefix, "entry_point": "area", "tests": [{"assert": "assert abs(area(1) - 3.14159) < 1e-4"}]}),
    );
    check(&task, "    return math.pi * r * r\n", Passed, "");
    check(&task, "def area(r):\n    return math.pi * r ** 2\n", Passed, "");
    check(&task, "    return r\n", WrongAnswer, "area(1) gave 1");
}

fn fractions_count_all_tests() {
    let tests: Vec<_> = (0..4).map(|n| json!({"call": "f", "args": [n], "expect": n})).collect();
    let program = "def f(n): return n if n % 2 else -1";
    let mut task = task(json!({"language": "python", "tests": tests}));
    let found = verdict(&task, program);
    assert_eq!((found.passed, found.total, found.reward(task.reward)), (0, 4, 0.0), "{found:?}");
    task.reward = CodeReward::Fraction;
    let found = verdict(&task, program);
    assert_eq!((found.passed, found.total, found.reward(task.reward)), (2, 4, 0.5), "{found:?}");
    assert_eq!(found.reason, "test 1: f(0): expected 0, got -1");
    let shared = found.to_verdict(task.reward);
    assert_eq!(
        (shared.reward, shared.outcome, shared.reason.as_str()),
        (0.5, Outcome::Wrong, "2 of 4 tests passed: test 1: f(0): expected 0, got -1")
    );
}

fn bad_tasks_are_found_before_anything_runs() {
    let output = json!([{"stdout": ""}]);
    let call = json!([{"call": "f", "args": [], "expect": 1}]);
    for (fields, message) in [
        (json!({"language": "cobol", "tests": output}), "expected a language out of"),
        (json!({"language": "python", "tests": []}), "expected at least one test"),
        (json!({"language": "c", "tests": call}), "test 1: functions cannot be called in c"),
        (
            json!({"language": "go", "tests": [{"stdout": ""}, {"assert": "f() == 1"}]}),
            "test 2: assertions cannot be kept apart from a program in go",
        ),
        (json!({"language": "cpp", "tests": [{"assert": "int main() { assert(f() == 1); }"}]}), "need `declaration`"),
        (json!({"language": "java", "declaration": "int x {", "tests": [{"assert": ""}]}), "need `declaration`"),
        (
            json!({"language": "python", "tests": [{"call": "f)", "args": [], "expect": 1}]}),
            "expected the name of a function, found \"f)\"",
        ),
        (json!({"language": "python", "tests": output, "limits": {"seconds": 0.0}}), "limits.seconds: expected more than 0"),
        (json!({"language": "python", "tests": output, "tolerance": -1.0}), "tolerance: expected 0 to 1"),
        (json!({"language": "python", "tests": output, "checker": {"language": "x", "program": ""}}), "checker: expected a language"),
    ] {
        let task = task(fields);
        let error = check_task(&task).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(grade(sandbox(), &task, "").unwrap_err().to_string(), error);
    }
}

fn a_test_that_is_no_python_is_a_bad_task() {
    let error = grade(sandbox(), &asserts(&["assert f( == 1"]), "def f(): return 1").unwrap_err();
    assert!(matches!(&error, CodeError::BadTask(message) if message.contains("SyntaxError")), "{error}");
}
