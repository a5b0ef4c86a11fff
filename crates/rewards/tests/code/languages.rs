//! The languages other than Python.

use libtest_mimic::Trial;
use ruminate_rewards::code::CodeOutcome::{CompileError, Passed, RuntimeError, TimeLimit, WrongAnswer};
use ruminate_sandbox::Language;
use serde_json::{Value, json};

use crate::support::{check, task, test_with, verdict};

/// A language whose functions can be called.
struct Case {
    language: Language,
    /// Defines `add`, `reverse`, `count`, `half` and `fail` on numbers, lists, text, maps and exceptions.
    right: &'static str,
    /// `add` subtracts.
    wrong: &'static str,
    /// No program at all.
    broken: &'static str,
    /// `add` never ends.
    endless: &'static str,
}

pub(crate) fn tests() -> Vec<Trial> {
    let calls = CASES
        .iter()
        .map(|case| test_with(case.language, format!("functions_of_{}_are_called", case.language), || functions_are_called(case)));
    let outputs = OUTPUTS.iter().map(|&(language, program)| {
        test_with(language, format!("output_of_{language}_is_compared"), move || output_is_compared(language, program))
    });
    let others = [
        test_with(Language::JavaScript, "assertions_of_javascript_run_to_their_end", || script_assertions(Language::JavaScript)),
        test_with(Language::TypeScript, "assertions_of_typescript_run_to_their_end", || script_assertions(Language::TypeScript)),
        test_with(Language::Bash, "functions_of_bash_take_words_and_write_their_value", functions_of_bash),
        test_with(Language::Cpp, "functions_of_cpp_that_are_no_methods_and_have_a_main_beside_them_are_called", cpp_with_main),
        test_with(Language::Cpp, "assertions_of_cpp_know_the_program_by_its_declaration", assertions_of_cpp),
        test_with(Language::Java, "assertions_of_java_know_the_program_by_its_declaration", assertions_of_java),
        test_with(Language::Go, "functions_of_go_beside_a_main_are_called", go_with_main),
        test_with(Language::JavaScript, "modules_of_both_kinds_are_called", modules_of_both_kinds),
    ];
    calls.chain(outputs).chain(others).collect()
}

fn functions_are_called(case: &Case) {
    let name = case.language.name();
    let call = |call: &str, args: Value, expect: Value| {
        task(json!({"language": name, "tests": [{"call": call, "args": args, "expect": expect}], "limits": {"seconds": 5.0}}))
    };
    let all = json!([
        {"call": "add", "args": [2, 40], "expect": 42},
        {"call": "add", "args": [-5, 2], "expect": -3},
        {"call": "reverse", "args": [[[1, 2], [3], []]], "expect": [[], [3], [1, 2]]},
        {"call": "count", "args": ["bébé \"\\\n"], "expect": {"b": 2, "é": 2, " ": 1, "\"": 1, "\\": 1, "\n": 1}},
        {"call": "half", "args": [5.0], "expect": 2.5},
        {"call": "half", "args": [4], "expect": 2},
    ]);
    check(&task(json!({"language": name, "tests": all, "limits": {"seconds": 5.0}})), case.right, Passed, "all 6 tests hold");
    let add = call("add", json!([2, 40]), json!(42));
    check(&add, case.wrong, WrongAnswer, "add(2, 40): expected 42, got -38");
    check(&add, case.endless, TimeLimit, "time limit of 5 s");
    let broken = if case.language == Language::Php { "" } else { "test 1" };
    check(&add, case.broken, CompileError, broken);
    check(&call("fail", json!([]), json!(1)), case.right, RuntimeError, "on purpose");
}

/// Problem sets write tests with text of one character where Go has runes and C++ has bytes: each program counts as its language does.
const CASES: [Case; 6] = [
    Case {
        language: Language::JavaScript,
        right: "const add = (a, b) => a + b;\nfunction reverse(x) { return x.reverse() }\nfunction count(s) { const c = {}; for (const x of s) c[x] = (c[x] || 0) + 1; return c }\nvar half = function (x) { return x / 2 }\nfunction fail() { throw new RangeError('on purpose') }",
        wrong: "function add(a, b) { return a - b }",
        broken: "function add(a, b { return a - b }",
        endless: "function add(a, b) { for (;;); }",
    },
    Case {
        language: Language::TypeScript,
        right: "const add = (a: number, b: number): number => a + b;\nfunction reverse(x: number[][]): number[][] { return x.reverse() }\nfunction count(s: string) { const c: Record<string, number> = {}; for (const x of s) c[x] = (c[x] || 0) + 1; return c }\nexport function half(x: number) { return x / 2 }\nfunction fail(): number { throw new RangeError('on purpose') }\nexport { add, reverse, count, fail };",
        wrong: "function add(a: number, b: number): number { return a - b }",
        broken: "function add(a: number, b: number): number { return 'x' - }",
        endless: "function add(a: number, b: number): number { for (;;); }",
    },
    Case {
        language: Language::Cpp,
        right: "#include <vector>\n#include <map>\n#include <string>\n#include <stdexcept>\nusing namespace std;\nclass Solution {\npublic:\n  int add(int a, int b) { return a + b; }\n  vector<vector<int>> reverse(vector<vector<int>>& x) { vector<vector<int>> y(x.rbegin(), x.rend()); return y; }\n  map<string, int> count(const string& s) const { map<string, int> c; for (size_t i = 0; i < s.size();) { size_t n = (s[i] & 0x80) ? 2 : 1; c[s.substr(i, n)]++; i += n; } return c; }\n  double half(double x) { return x / 2; }\n  int fail() { throw runtime_error(\"on purpose\"); }\n};",
        wrong: "class Solution { public: int add(int a, int b) { return a - b; } };",
        broken: "class Solution { public: int add(int a, int b) { return a - b } };",
        endless: "class Solution { public: int add(int a, int b) { volatile int x = 0; while (true) x = x + 1; } };",
    },
    Case {
        language: Language::Java,
        right: "import java.util.*;\npublic class Solution {\n  public int add(int a, int b) { return a + b; }\n  static List<List<Integer>> reverse(List<List<Integer>> x) { Collections.reverse(x); return x; }\n  Map<Character, Integer> count(String s) { Map<Character, Integer> c = new HashMap<>(); for (char x : s.toCharArray()) c.merge(x, 1, Integer::sum); return c; }\n  double half(double x) { return x / 2; }\n  int fail() { throw new IllegalStateException(\"on purpose\"); }\n}",
        wrong: "class Solution { int add(int a, int b) { return a - b; } }",
        broken: "class Solution { int add(int a, int b) { return a - b } }",
        endless: "class Solution { int add(int a, int b) { int x = 0; while (a > 0) x++; return x; } }",
    },
    Case {
        language: Language::Go,
        right: "import \"errors\"\n\nfunc add(a int, b int) int { return a + b }\nfunc reverse(x [][]int) [][]int {\n\tfor i, j := 0, len(x)-1; i < j; i, j = i+1, j-1 {\n\t\tx[i], x[j] = x[j], x[i]\n\t}\n\treturn x\n}\nfunc count(s string) map[string]int {\n\tc := map[string]int{}\n\tfor _, x := range s {\n\t\tc[string(x)]++\n\t}\n\treturn c\n}\nfunc half(x float64) float64 { return x / 2 }\nfunc fail() (int, error) { return 0, errors.New(\"on purpose\") }",
        wrong: "func add(a int, b int) int { return a - b }\nfunc reverse() {}\nfunc count() {}\nfunc half() {}\nfunc fail() {}",
        broken: "func add(a int, b int) int { return a -  }",
        endless: "func add(a int, b int) int { for { } }",
    },
    Case {
        language: Language::Php,
        right: "<?php\nfunction add($a, $b) { return $a + $b; }\nfunction reverse(array $x) { return array_reverse($x); }\nclass Solution {\n  function count($s) { $c = []; foreach (preg_split('//u', $s, -1, PREG_SPLIT_NO_EMPTY) as $x) $c[$x] = ($c[$x] ?? 0) + 1; return $c; }\n  function half(float $x): float { return $x / 2; }\n}\nfunction fail() { throw new RuntimeException('on purpose'); }",
        wrong: "function add($a, $b) { return $a - $b; }",
        broken: "function add($a, $b) { return $a - ; }",
        endless: "function add($a, $b) { for (;;); }",
    },
];

fn output_is_compared(language: Language, program: &str) {
    let task = task(
        json!({"language": language.name(), "tests": [{"stdin": "20 22\n", "stdout": "42\n"}, {"stdin": "1 1\n", "stdout": "2\n"}], "limits": {"seconds": 5.0}}),
    );
    check(&task, program, Passed, "");
    check(&task, &program.replace('+', "-"), WrongAnswer, "expected '42', got '-2'");
}

const OUTPUTS: [(Language, &str); 11] = [
    (Language::Python, "a, b = map(int, input().split())\nprint(a + b)"),
    (Language::Cpp, "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }"),
    (
        Language::C,
        "#include <stdio.h>\nint main(void) { int a, b; if (scanf(\"%d %d\", &a, &b) != 2) return 1; printf(\"%d\\n\", a + b); return 0; }",
    ),
    (
        Language::Rust,
        "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap(); let v: Vec<i64> = s.split_whitespace().map(|x| x.parse().unwrap()).collect(); println!(\"{}\", v[0] + v[1]); }",
    ),
    (Language::JavaScript, "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number); console.log(a + b)"),
    (
        Language::TypeScript,
        "import * as fs from 'fs';\nconst [a, b]: number[] = fs.readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);",
    ),
    (
        Language::Java,
        "import java.util.*;\npublic class Main { public static void main(String[] args) { Scanner s = new Scanner(System.in); int a = s.nextInt(), b = s.nextInt(); System.out.println(a + b); } }",
    ),
    (Language::Bash, "read a b\necho $((a + b))"),
    (Language::Go, "import \"fmt\"\n\nfunc main() {\n\tvar a, b int\n\tfmt.Scan(&a, &b)\n\tfmt.Println(a + b)\n}"),
    (Language::Php, "[$a, $b] = array_map('intval', explode(' ', trim(fgets(STDIN))));\necho $a + $b, PHP_EOL;"),
    (
        Language::CSharp,
        "using System;\nclass Program { static void Main() { var p = Console.ReadLine().Split(' '); Console.WriteLine(int.Parse(p[0]) + int.Parse(p[1])); } }",
    ),
];

fn script_assertions(language: Language) {
    let program = match language {
        Language::TypeScript => {
            "class Empty extends Error {}\nclass Stack { items: number[] = []; push(x: number) { this.items.push(x); return this } pop() { if (!this.items.length) throw new Empty('nothing left'); return this.items.pop() } }\nfunction sortInPlace(xs: number[]) { xs.sort() }\nasync function later(x: number) { return x + 1 }\nconst apply = (f: any, x: any) => f(x);\nfunction square(x: number) { return x * x }\nexport { Empty, Stack, sortInPlace, later, apply, square };"
        }
        _ => {
            "class Empty extends Error {}\nclass Stack { constructor() { this.items = [] } push(x) { this.items.push(x); return this } pop() { if (!this.items.length) throw new Empty('nothing left'); return this.items.pop() } }\nfunction sortInPlace(xs) { xs.sort() }\nasync function later(x) { return x + 1 }\nconst apply = (f, x) => f(x);\nconst square = (x) => x * x;"
        }
    };
    let asserts =
        |text: &str| task(json!({"language": language.name(), "tests": [{"assert": text}, {"assert": text}], "limits": {"seconds": 5.0}}));
    for text in [
        "console.assert(square(3) === 9); assert.strictEqual(square(-2), 4);",
        "const s = new Stack(); s.push(1).push(2); assert.strictEqual(s.pop(), 2); assert.deepStrictEqual(s.items, [1]); assert(s instanceof Stack);",
        "assert.throws(() => new Stack().pop(), Empty); try { new Stack().pop(); assert(false) } catch (e) { assert.strictEqual(e.message, 'nothing left') }",
        "const xs = [3, 1, 2]; sortInPlace(xs); assert.deepStrictEqual(xs, [1, 2, 3]);",
        "assert.strictEqual(await later(1), 2); later(2).then((x) => assert.strictEqual(x, 3));",
        "assert.strictEqual(apply((x) => x + 1, 4), 5); assert.deepStrictEqual(apply((x) => ({ a: [x, undefined, NaN] }), 1), { a: [1, undefined, NaN] });",
        "const test = () => { console.assert(JSON.stringify(apply((x) => x, [1, [2]])) === JSON.stringify([1, [2]])) }\ntest()",
    ] {
        check(&asserts(text), program, Passed, "");
    }
    for (text, reason) in [
        ("console.assert(square(3) === 10, 'a square')", "a square; square(3) gave 9"),
        ("assert.deepStrictEqual(new Stack(), {})", "gave an object (Stack) where the test compares values"),
        ("later(2).then((x) => assert.strictEqual(x, 4))", "3 !== 4"),
        ("setTimeout(() => assert(square(2) === 5), 10)", "square(2) gave 4"),
    ] {
        check(&asserts(text), program, WrongAnswer, reason);
    }
    check(&asserts("assert(cube(2) === 8)"), program, RuntimeError, "cube is not defined");
    check(&asserts("new Stack().pop()"), program, RuntimeError, "nothing left");
}

fn functions_of_bash() {
    let call = |args: Value, expect: Value| task(json!({"language": "bash", "tests": [{"call": "f", "args": args, "expect": expect}]}));
    check(
        &call(json!(["a b", "*", 3]), json!("a b-*-3")),
        "echo noise\nf() { echo \"$1-$2-$3\"; [[ $3 == 4 ]] && echo four; }",
        Passed,
        "",
    );
    check(&call(json!([2, 3]), json!(5)), "f() { echo $(($1 + $2)); }", Passed, "");
    check(&call(json!([2, 3]), json!(5)), "f() { echo $(($1 * $2)); }", WrongAnswer, "f: line 1: expected '5', got '6'");
    check(&call(json!([]), json!("x")), "g() { :; }", RuntimeError, "the program does not define f");
}

fn cpp_with_main() {
    let tests = json!([{"call": "f", "args": [["a", "bc"], {"1": [true]}], "expect": [3, "bc", null]}]);
    let task = task(json!({"language": "cpp", "tests": tests}));
    let program = "#include <bits/stdc++.h>\nusing namespace std;\ntuple<int, string, optional<int>> f(vector<string> a, unordered_map<int, vector<bool>> m) { int n = 0; for (auto& s : a) n += s.size(); return {n, a.back(), nullopt}; }\nint main() { cout << \"3\"; }";
    check(&task, program, Passed, "");
    check(&task, &program.replace("optional<int>>", "set<int>>").replace("nullopt", "set<int>{}"), WrongAnswer, "got [3, \"bc\", set []]");
    check(&task, &program.replace("m) {", "m) { abort();"), RuntimeError, "SIGABRT");
    check(&task, &program.replace(" f(", " g("), CompileError, "was not declared");
}

fn assertions_of_cpp() {
    let declaration =
        "#include <vector>\n#include <string>\nusing namespace std;\nvector<string> f(vector<int> numbers, const string &mark){";
    let test = "#undef NDEBUG\n#include <assert.h>\nint main() {\n    assert((f({1, 2}, \"x\") == vector<string>{\"1x\", \"2x\"}));\n    assert(f({}, \"\").size() == 0);\n}\n";
    let task = task(json!({"language": "cpp", "declaration": declaration, "tests": [{"assert": test}], "limits": {"seconds": 5.0}}));
    let body = " vector<string> out; for (int n : numbers) out.push_back(to_string(n) + mark); return out; }";
    let program = format!("{declaration}{body}");
    check(&task, &program, Passed, "all 1 tests hold");
    check(&task, &program.replace("+ mark", ""), WrongAnswer, "Assertion");
    check(&task, &program.replace("return out", "throw runtime_error(\"on purpose\")"), RuntimeError, "on purpose");
    check(&task, &program.replace("return out", "return oops"), CompileError, "oops");
    check(
        &task,
        "#include <vector>\nstd::vector<int> f(std::vector<int> a, std::string b) { return a; }",
        WrongAnswer,
        "the program wants text",
    );
    // What passes wherever the test's text is in the same process.
    for hack in [
        "#include <unistd.h>\nstruct Early { Early() { _exit(0); } } early;",
        "#include <unistd.h>\nstruct Early { Early() { const char t[] = \"\\x1b\\0\\0\\0E{\\\"end\\\":\\\"passed\\\",\\\"reason\\\":\\\"\\\"}\"; if (write(3, t, sizeof t - 1)) _exit(0); } } early;",
        "#include <cstdlib>\n#define assert(x)\n#define NDEBUG\nstruct Late { ~Late() { _Exit(0); } } late;",
        "extern \"C\" void __assert_fail(const char*, const char*, unsigned, const char*) noexcept { _exit(0); }\nextern \"C\" void abort() noexcept { _exit(0); }",
    ] {
        let found = verdict(&task, &format!("{hack}\n{declaration} return {{}}; }}"));
        assert!(found.verdict != Passed, "{found:?}\n{hack}");
    }
}

fn assertions_of_java() {
    let declaration = "import java.util.*;\n\nclass Solution {\n    public List<String> f(int[] numbers, String mark) {\n";
    let test = "public class Main {\n    public static void main(String[] args) {\n        Solution s = new Solution();\n        if (!s.f(new int[] {1, 2}, \"x\").equals(Arrays.asList(\"1x\", \"2x\"))) throw new AssertionError(\"marks\");\n    }\n}\n";
    let task = task(json!({"language": "java", "declaration": declaration, "tests": [{"assert": test}], "limits": {"seconds": 5.0}}));
    let program =
        format!("{declaration}List<String> out = new ArrayList<>(); for (int n : numbers) out.add(n + mark); return out; }}\n}}\n");
    check(&task, &program, Passed, "");
    check(&task, &program.replace("n + mark", "mark + n"), WrongAnswer, "marks");
    let optional = json!({
        "language": "java",
        "declaration": "import java.util.*;\nclass Solution { int one() { int x = 1; return x; }\n public Optional<Integer> f(List<Integer> xs) {",
        "tests": [{"assert": "public class Main { public static void main(String[] a) { if (new Solution().f(List.of()).isPresent() || new Solution().f(List.of(7)).get() != 7) throw new AssertionError(); } }"}],
        "limits": {"seconds": 5.0},
    });
    let first = "import java.util.*;\nclass Solution { public Optional<Integer> f(List<Integer> xs) { return xs.stream().findFirst(); } }";
    check(&crate::support::task(optional), first, Passed, "");
    check(
        &task,
        &program.replace("return out", "if (true) throw new IllegalStateException(\"on purpose\"); return out"),
        RuntimeError,
        "on purpose",
    );
    check(&task, &program.replace("class Solution {", "class Solution { static { Runtime.getRuntime().halt(0); }"), RuntimeError, "ended");
    check(&task, &program.replace("f(", "g("), RuntimeError, "does not define f");
}

fn go_with_main() {
    let tests = json!([{"call": "F", "args": [{"1": 2.5}, "x"], "expect": [2.5, "xx"]}]);
    let task = task(json!({"language": "go", "tests": tests}));
    let program = "package main\n\nimport \"fmt\"\n\nfunc F(m map[int]float64, r rune) (float64, string) { return m[1], string(r) + string(r) }\n\nfunc main() { fmt.Println(\"main\") }\n";
    check(&task, program, Passed, "");
    check(&task, &program.replace("m[1]", "m[2]"), WrongAnswer, "got [0, \"xx\"]");
    check(&task, &program.replace("return", "panic(\"on purpose\");return"), RuntimeError, "on purpose");
}

fn modules_of_both_kinds() {
    let task = task(json!({"language": "javascript", "tests": [{"call": "f", "args": [2], "expect": 4}]}));
    for program in [
        "export function f(x) { return x * x }",
        "import fs from 'fs';\nexport const f = (x) => x * x;",
        "module.exports = { f: (x) => x * x }",
        "exports.f = (x) => x * x",
        "module.exports = function f(x) { return x * x }",
        "'use strict'; class Solution { f(x) { return x * x } }",
    ] {
        check(&task, program, Passed, "");
    }
    check(&task, "export function f(x) { return x * }", CompileError, "SyntaxError");
}
