"""Runs the text of a test against a program that lives in another process.

Only trusted text runs here: this driver and the test. The program's names stand for remote objects; what it answers is decoded to plain values of
builtin types, so that `==`, `len` or `isinstance` are those of this process. The end of a test is told by this driver alone, over a channel that
the program does not have.
"""

import ast
import builtins
import importlib
import json
import os
import struct
import sys
import traceback

CHANNEL = 3
SAFE_INTEGER = 2**53
MAX_ITEMS = 1_000_000
NAMED_TYPES = {kind.__name__: kind for kind in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)}
# An object that a function gave instead of data could answer these as the test hopes.
DATA_METHODS = {name for kind in NAMED_TYPES.values() for name in dir(kind) if not name.startswith("_")}
# These would end a loop or a comprehension of the test as if all had gone well.
CONTROL = (StopIteration, StopAsyncIteration, GeneratorExit)


def receive():
    (size,) = struct.unpack("<I", receive_exactly(4))
    return receive_exactly(size)


def receive_exactly(size):
    parts = []
    while size > 0:
        part = os.read(CHANNEL, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(kind, frame):
    text = kind + json.dumps(frame, allow_nan=False, separators=(",", ":")).encode("ascii")
    view = memoryview(struct.pack("<I", len(text)) + text)
    while view:
        view = view[os.write(CHANNEL, view) :]


class Refused(BaseException):
    """The test cannot go on. A test that swallows it does not pass either, since the state keeps it."""

    def __init__(self, reason):
        super().__init__(reason)
        if state.refused is None:
            state.refused = reason


class State:
    """What one test has seen."""

    def __init__(self):
        self.refused = None
        self.callbacks = []
        self.remotes = {}
        # Objects by number: names of the test that stand for one, those that a class of the program made, sizes seen.
        self.names = {}
        self.made = set()
        self.sizes = {}
        self.errors = {}
        self.last_call = ""
        self.last_gave = ""


state = State()


class Remote:
    """An object of the program. Nothing is decided by its own operators: they could say whatever the test wants to hear.

    Methods that data has too, such as `count`, are for objects that the test made itself by calling a class, and other objects have one size.
    """

    __slots__ = ("_number", "_label")

    def __init__(self, number, label):
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_label", label)

    def __call__(self, *args, **kwargs):
        value = request("call", self, args, kwargs)
        names = state.names.get(self._number, ())
        if type(value) is Remote and names and all(name[0].isupper() for name in names):
            state.made.add(value._number)
        return value

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(f"'{name}' of an object of the program")
        value = request("getattr", self, [name])
        if type(value) is Remote and name in DATA_METHODS and self._number not in state.made:
            raise Refused(f"the program gave an object ({self._label}) where the test calls '{name}' of a value")
        return value

    def __setattr__(self, name, value):
        request("setattr", self, [name, value])

    def __delattr__(self, name):
        request("delattr", self, [name])

    def __getitem__(self, key):
        return request("getitem", self, [key])

    def __setitem__(self, key, value):
        request("setitem", self, [key, value])

    def __delitem__(self, key):
        request("delitem", self, [key])

    def __len__(self):
        return sized(self, expect(int, request("len", self)))

    def __bool__(self):
        return expect(bool, request("bool", self))

    def __str__(self):
        return expect(str, request("str", self))

    def __repr__(self):
        return expect(str, request("repr", self))

    def __float__(self):
        return expect(float, request("float", self))

    def __iter__(self):
        iterator, size = request("iter", self), 0
        while "stop" not in (answer := exchange("next", iterator, [], {})):
            size += 1
            yield result(answer, [])
        if self._number in state.sizes:
            sized(self, size)

    def __next__(self):
        answer = exchange("next", self, [], {})
        if answer.get("stop") is True:
            raise StopIteration
        return result(answer, [])

    def __enter__(self):
        return request("enter", self)

    def __exit__(self, *_):
        request("exit", self)
        return False

    def __instancecheck__(self, value):
        return expect(bool, request("isinstance", self, [value]))

    def __eq__(self, other):
        if other is None or self is other:
            return other is not None
        raise Refused(f"the program gave an object ({self._label}) where the test compares values")

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self._number)

    def __deepcopy__(self, _):
        raise Refused(f"an object of the program ({self._label}) cannot be copied")

    __copy__ = __reduce_ex__ = __deepcopy__


def sized(remote, size):
    if remote._number not in state.made and state.sizes.setdefault(remote._number, size) != size:
        raise Refused(f"the program gave an object ({remote._label}) whose length changes")
    return size


def expect(kind, value):
    if type(value) is not kind:
        raise Refused(f"the program's object gave {type(value).__name__}, expected {kind.__name__}")
    return value


def request(op, on, args=(), kwargs={}):
    return result(exchange(op, on, args, kwargs), args)


def exchange(op, on, args, kwargs):
    """Asks the program and serves its calls of the test's functions until it answers."""
    if op == "call":
        state.last_call = f"{on if isinstance(on, str) else on._label}({', '.join([short(arg) for arg in args])})"
    frame = {"op": op, "on": on if isinstance(on, str) else encode(on), "args": [encode(arg) for arg in args]}
    if kwargs:
        frame["kwargs"] = {name: encode(value) for name, value in kwargs.items()}
    send(b"Q", frame)
    while True:
        answer = read_answer()
        if "callback" not in answer:
            return answer
        send(b"Q", call_back(answer))


def read_answer():
    try:
        answer = json.loads(receive())
    except Exception as error:
        raise Refused(f"the program's answer cannot be read: {type(error).__name__}")
    if type(answer) is not dict:
        raise Refused("the program's answer cannot be read: not an object")
    return answer


def call_back(answer):
    try:
        function = state.callbacks[answer["callback"]]
        args = [decode(arg) for arg in answer["args"]]
        kwargs = {str(name): decode(arg) for name, arg in answer["kwargs"].items()}
    except Exception as error:
        raise Refused(f"the program's call of a function of the test cannot be read: {type(error).__name__}")
    try:
        return {"ok": encode(function(*args, **kwargs))}
    except Exception as error:
        return {"raise": [type(error).__name__, str(error)[:2000]]}


def result(answer, args):
    """The decoded value. Lists and other containers among the arguments are brought to the state that the program left them in."""
    if "ok" not in answer:
        raise failure(answer)
    try:
        value = decode(answer["ok"])
        for index, changed in answer.get("changed", []):
            update(args[index], decode(changed))
    except Exception as error:
        raise Refused(f"the program's answer cannot be read: {type(error).__name__}")
    state.last_gave = short(value)
    return value


def failure(answer):
    if "missing" in answer:
        return NameError(f"the program does not define '{short(answer['missing'])}'")
    try:
        name, known, message = answer["raise"]
        kind = state.errors.get(name) or getattr(builtins, known)
        if not issubclass(kind, BaseException):
            raise TypeError(known)
        if issubclass(kind, CONTROL):
            kind, message = RuntimeError, f"the program raised {name}"
        error = make_error(kind, message)
    except Exception:
        return Refused("the program's exception cannot be read")
    error.of_program = f"{name}: {message}" if message else str(name)
    return error


def make_error(kind, message):
    try:
        return kind(message)
    except TypeError:
        # Those of Unicode want five arguments.
        return ValueError(message) if issubclass(kind, ValueError) else Exception(message)


def update(old, new):
    """Gives containers of the test the content that the program gave them, inner ones in place where the shapes agree."""
    if type(old) is not type(new):
        return
    if type(old) in (list, tuple) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new)):
            if type(before) is type(after) and isinstance(before, (list, dict, set, tuple)):
                update(before, after)
            elif type(old) is list:
                old[index] = after
    elif type(old) is list or type(old) is bytearray:
        old[:] = new
    elif type(old) in (dict, set):
        old.clear()
        old.update(new)
    elif type(old).__name__ == "deque":
        old.clear()
        old.extend(new)


def encode(value):
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -SAFE_INTEGER < value < SAFE_INTEGER else {"$": "int", "v": str(value)}
    if kind is float:
        return value if value - value == 0 else {"$": "float", "v": repr(value)}
    if kind is Remote:
        return {"$": "object", "v": value._number}
    if kind is list:
        return [encode(item) for item in value]
    if kind in (tuple, set, frozenset):
        return {"$": kind.__name__, "v": [encode(item) for item in value]}
    if kind is dict:
        return {"$": "dict", "v": [[encode(key), encode(item)] for key, item in value.items()]}
    if kind in (bytes, bytearray):
        return {"$": kind.__name__, "v": value.hex()}
    if kind is complex:
        return {"$": "complex", "v": [encode(value.real), encode(value.imag)]}
    if kind is range:
        return {"$": "range", "v": [encode(value.start), encode(value.stop), encode(value.step)]}
    return encode_other(value, kind)


def encode_other(value, kind):
    name = f"{kind.__module__}.{kind.__name__}"
    if name == "collections.deque":
        return {"$": "deque", "v": [encode(item) for item in value]}
    if name in ("decimal.Decimal", "fractions.Fraction"):
        return {"$": name, "v": str(value)}
    if name in ("datetime.date", "datetime.time", "datetime.datetime") and getattr(value, "tzinfo", None) is None:
        return {"$": name, "v": value.isoformat()}
    if name == "datetime.timedelta":
        return {"$": name, "v": [value.days, value.seconds, value.microseconds]}
    if callable(value):
        if getattr(builtins, getattr(value, "__name__", ""), None) is value:
            return {"$": "builtin", "v": value.__name__}
        state.callbacks.append(value)
        return {"$": "callback", "v": len(state.callbacks) - 1}
    for base in (str, int, float, list, tuple, dict, set, frozenset):
        if isinstance(value, base):
            return encode(base(value))
    if hasattr(value, "__next__") or kind in (type({}.keys()), type({}.values()), type({}.items())):
        return {"$": "iter", "v": [encode(item) for _, item in zip(range(MAX_ITEMS), value)]}
    raise Refused(f"the test passes an object of the class {kind.__name__}, which cannot cross to the program")


def decode(data):
    if type(data) is list:
        return [decode(item) for item in data]
    if type(data) is not dict:
        return data
    tag, value = data["$"], data["v"]
    if tag == "dict":
        return {decode(key): decode(item) for key, item in value}
    if tag in ("tuple", "set", "frozenset"):
        make = {"tuple": tuple, "set": set, "frozenset": frozenset}[tag]
        return make([decode(item) for item in value])
    if tag in ("int", "float"):
        return (int if tag == "int" else float)(value)
    if tag in ("bytes", "bytearray"):
        return (bytes if tag == "bytes" else bytearray).fromhex(value)
    if tag == "complex":
        return complex(decode(value[0]), decode(value[1]))
    if tag == "range":
        return range(*map(decode, value))
    if tag == "object":
        number = expect(int, value)
        if number not in state.remotes:
            state.remotes[number] = Remote(number, str(data.get("type", "object")))
        return state.remotes[number]
    if tag == "builtin":
        return NAMED_TYPES[value]
    return decode_library(tag, value)


def decode_library(tag, value):
    if tag == "deque":
        return importlib.import_module("collections").deque(map(decode, value))
    if tag == "decimal.Decimal":
        return importlib.import_module("decimal").Decimal(value)
    if tag == "fractions.Fraction":
        return importlib.import_module("fractions").Fraction(value)
    if tag == "datetime.timedelta":
        return importlib.import_module("datetime").timedelta(*value)
    kind = {"datetime.date": "date", "datetime.time": "time", "datetime.datetime": "datetime"}[tag]
    return getattr(importlib.import_module("datetime"), kind).fromisoformat(value)


def short(value):
    """A value as text for a reason, without asking the program."""
    if type(value) is Remote:
        return "<object of the program>"
    try:
        text = repr(value)
    except BaseException:
        return "?"
    return text if len(text) <= 200 else text[:120] + " … " + text[-60:]


def bind(names, program, entry_point):
    """What the test's free names stand for: modules of the library, or functions and objects of the program. Builtins are never the
    program's, unless the task is about a function of that name."""
    scope = {"__name__": "tests"}
    known = set(program["names"])
    for name, is_module in names.items():
        if hasattr(builtins, name) and name != entry_point:
            continue
        if is_module and name != entry_point and name in sys.stdlib_module_names:
            scope[name] = importlib.import_module(name)
        elif name in state.errors:
            scope[name] = state.errors[name]
        elif name in known:
            scope[name] = remote_name(name)
    return scope


def remote_name(name):
    value = request("name", name)
    if type(value) is Remote:
        object.__setattr__(value, "_label", name)
        state.names.setdefault(value._number, set()).add(name)
    return value


def free_names(trees):
    """Names that the texts read, and whether they read an attribute of them."""
    names = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names.setdefault(node.id, False)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names[node.value.id] = True
    return names


def compile_texts(test):
    """Code and syntax trees of setup and test. An error here is one of the task, since the program has not been asked anything yet."""
    compiled, trees = [], []
    for text, name in ((test.get("setup") or "", "<setup>"), (test["test"], "<test>")):
        tree = ast.parse(text, name)
        trees.append(tree)
        compiled.append(compile(tree, name, "exec", dont_inherit=True))
    return compiled, trees


def run(test):
    """Runs one test to its end; returns how it ended."""
    global state
    state = State()
    program = test["program"]
    try:
        (setup, code), trees = compile_texts(test)
    except (SyntaxError, ValueError, RecursionError) as error:
        return {"end": "bad", "reason": f"{type(error).__name__}: {error}"}
    for name, base in program["errors"].items():
        state.errors[name] = exception_class(name, base)
    entry_point = test.get("entry_point")
    try:
        scope = bind(free_names(trees), program, entry_point)
        own = {name: scope[name] for name in [entry_point] if name in scope}
        exec(setup, scope)
        scope.pop(entry_point, None)
        scope.update(own)
        exec(code, scope)
    except BaseException as error:
        return ending(error, test["test"])
    if state.refused is not None:
        return {"end": "failed", "reason": state.refused}
    return {"end": "passed", "reason": ""}


def ending(error, text):
    if state.refused is not None:
        return {"end": "failed", "reason": state.refused}
    line = failed_line(error, text)
    of_program = getattr(error, "of_program", None)
    if of_program is not None:
        return {"end": "error", "reason": f"{of_program[:300]} in {state.last_call}" + (f" ({line})" if line else "")}
    if isinstance(error, NameError):
        return {"end": "error", "reason": f"{error}: {line}"}
    gave = f"; {state.last_call} gave {state.last_gave}" if state.last_gave else ""
    what = f"{str(error)[:200] or 'does not hold'}" if isinstance(error, AssertionError) else f"{type(error).__name__}: {str(error)[:200]}"
    return {"end": "failed", "reason": f"{line}: {what}{gave}"}


def exception_class(name, base):
    """A class of this process that stands for an exception of the program."""
    known = getattr(builtins, base, None)
    is_exception = isinstance(known, type) and issubclass(known, BaseException) and not issubclass(known, CONTROL)
    return type(name, (known if is_exception else Exception,), {})


def failed_line(error, text):
    lines = text.splitlines()
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<test>"]
    number = frames[-1] if frames else 0
    return lines[number - 1].strip()[:300] if 0 < number <= len(lines) else ""


def main():
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    while True:
        send(b"E", run(json.loads(receive())))


main()
