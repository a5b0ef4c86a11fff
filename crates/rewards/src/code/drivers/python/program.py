"""Serves the functions of a Python program over the channel.

It runs inside the program's own process, so it guards nothing: the program may patch it, forge its frames or stop it. Whatever comes out of this
process is read as a value, and values are judged elsewhere.
"""

import builtins
import json
import os
import struct
import sys
import types

CHANNEL = 3
SAFE_INTEGER = 2**53
FOLDER = os.path.dirname(os.path.abspath(__file__))
# Builtin types that may cross by name.
NAMED_TYPES = (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)


def receive():
    (size,) = struct.unpack("<I", receive_exactly(4))
    return json.loads(receive_exactly(size))


def receive_exactly(size):
    parts = []
    while size > 0:
        part = os.read(CHANNEL, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(frame):
    text = json.dumps(frame, allow_nan=False, separators=(",", ":")).encode("ascii")
    view = memoryview(struct.pack("<I", len(text)) + text)
    while view:
        view = view[os.write(CHANNEL, view) :]


class Objects:
    """What the other side knows by number only."""

    def __init__(self):
        self.by_number = []
        self.numbers = {}

    def number(self, value):
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.by_number)
            self.by_number.append(value)
        return number


objects = Objects()


def encode(value):
    """A value as JSON; what JSON lacks is an object with the key `$`."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        value = int.__int__(value)
        return value if -SAFE_INTEGER < value < SAFE_INTEGER else {"$": "int", "v": str(value)}
    if isinstance(value, float):
        value = float.__float__(value)
        return value if value - value == 0 else {"$": "float", "v": repr(value)}
    if isinstance(value, list):
        return [encode(item) for item in list.__iter__(value)]
    if isinstance(value, tuple):
        return {"$": "tuple", "v": [encode(item) for item in tuple.__iter__(value)]}
    if isinstance(value, dict):
        return {"$": "dict", "v": [[encode(key), encode(item)] for key, item in dict.items(value)]}
    if isinstance(value, set):
        return {"$": "set", "v": [encode(item) for item in set.__iter__(value)]}
    if isinstance(value, frozenset):
        return {"$": "frozenset", "v": [encode(item) for item in frozenset.__iter__(value)]}
    if isinstance(value, (bytes, bytearray)):
        return {"$": "bytes" if isinstance(value, bytes) else "bytearray", "v": bytes(value).hex()}
    if isinstance(value, complex):
        return {"$": "complex", "v": [encode(value.real), encode(value.imag)]}
    if type(value) is range:
        return {"$": "range", "v": [encode(value.start), encode(value.stop), encode(value.step)]}
    if type(value) is type and value in NAMED_TYPES:
        return {"$": "builtin", "v": value.__name__}
    return encode_library(value) or {"$": "object", "v": objects.number(value), "type": str(type(value).__name__)}


def encode_library(value):
    """Values of common types of the standard library, if the program has imported them."""
    kind = type(value)
    loaded = sys.modules.get(kind.__module__)
    if loaded is None or getattr(loaded, kind.__name__, None) is not kind:
        return None
    name = f"{kind.__module__}.{kind.__name__}"
    if name == "collections.deque":
        return {"$": "deque", "v": [encode(item) for item in value]}
    if name in ("decimal.Decimal", "fractions.Fraction"):
        return {"$": name, "v": str(value)}
    if name in ("datetime.date", "datetime.time", "datetime.datetime") and getattr(value, "tzinfo", None) is None:
        return {"$": name, "v": value.isoformat()}
    if name == "datetime.timedelta":
        return {"$": name, "v": [value.days, value.seconds, value.microseconds]}
    return None


def decode(data):
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    tag, value = data["$"], data["v"]
    if tag == "dict":
        return {decode(key): decode(item) for key, item in value}
    if tag in ("tuple", "set", "frozenset", "iter"):
        make = {"tuple": tuple, "set": set, "frozenset": frozenset, "iter": iter}[tag]
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
        return objects.by_number[value]
    if tag == "builtin":
        return getattr(builtins, value)
    if tag == "callback":
        return callback(value)
    return decode_library(tag, value)


def decode_library(tag, value):
    if tag == "deque":
        import collections

        return collections.deque(map(decode, value))
    if tag == "decimal.Decimal":
        import decimal

        return decimal.Decimal(value)
    if tag == "fractions.Fraction":
        import fractions

        return fractions.Fraction(value)
    import datetime

    kind = getattr(datetime, tag.removeprefix("datetime."))
    return kind(*value) if tag == "datetime.timedelta" else kind.fromisoformat(value)


def callback(number):
    """A function that lives on the other side."""

    def function(*args, **kwargs):
        send({"callback": number, "args": [encode(arg) for arg in args], "kwargs": {name: encode(arg) for name, arg in kwargs.items()}})
        return answer_of(serve_until_answer())

    return function


def serve_until_answer():
    """The other side may ask for more before it answers."""
    while True:
        frame = receive()
        if "op" not in frame:
            return frame
        answer(frame)


def answer_of(frame):
    if "ok" in frame:
        return decode(frame["ok"])
    name, message = frame["raise"]
    raise getattr(builtins, name, RuntimeError)(message)


def answer(frame):
    """Carries out one request and sends what came of it."""
    try:
        args = [decode(arg) for arg in frame.get("args", [])]
        reply = {"ok": encode(perform(frame["op"], frame.get("on"), args, frame.get("kwargs", {})))}
        changed = [[index, encode(arg)] for index, arg in enumerate(args) if is_mutable(arg) and not is_same(frame["args"][index], arg)]
        if changed:
            reply["changed"] = changed
    except Missing as missing:
        reply = {"missing": str(missing)}
    except StopIteration if frame["op"] == "next" else ():
        reply = {"stop": True}
    except BaseException as error:
        reply = {"raise": describe(error)}
    try:
        send(reply)
    except (ValueError, RecursionError) as error:
        send({"raise": describe(error)})


class Missing(Exception):
    """The program has no such name."""


def is_mutable(value):
    return isinstance(value, (list, dict, set, bytearray, tuple)) or type(value).__name__ == "deque"


def is_same(before, value):
    after = encode(value)
    if isinstance(before, dict) and isinstance(after, dict) and before["$"] == after["$"] == "set":
        return sorted(map(json.dumps, before["v"])) == sorted(map(json.dumps, after["v"]))
    return before == after


def perform(op, on, args, kwargs):
    if op == "name":
        return find(on)
    target = find(on) if isinstance(on, str) else decode(on)
    if op == "call":
        return target(*args, **{name: decode(value) for name, value in kwargs.items()})
    if op == "getattr":
        return getattr(target, args[0])
    if op == "setattr":
        return setattr(target, args[0], args[1])
    if op == "delattr":
        return delattr(target, args[0])
    if op == "getitem":
        return target[args[0]]
    if op == "setitem":
        target[args[0]] = args[1]
        return None
    if op == "delitem":
        del target[args[0]]
        return None
    if op == "isinstance":
        return isinstance(args[0], target)
    if op == "float":
        return float(target)
    return {"len": len, "iter": iter, "next": next, "bool": bool, "str": str, "repr": repr, "enter": enter, "exit": leave}[op](target)


def enter(target):
    return type(target).__enter__(target)


def leave(target):
    return type(target).__exit__(target, None, None, None)


def find(name):
    """A name of the program: of its module, or a method of its class `Solution`, as judges of interview questions have it."""
    names = vars(module)
    if name in names:
        return names[name]
    solution = names.get("Solution")
    if isinstance(solution, type) and hasattr(solution, name):
        return getattr(solution(), name)
    raise Missing(name)


def describe(error):
    """An exception as data: its class, the nearest class that every Python knows, its text."""
    kind = type(error)
    known = next((base.__name__ for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base), "Exception")
    try:
        text = str(error)
    except BaseException:
        text = ""
    return [str(kind.__name__), known, text[:2000]]


def load():
    """Runs the program's text as a module that is not the main one, and tells which names it has."""
    with open(os.path.join(FOLDER, "program_text.py"), encoding="utf-8") as file:
        text = file.read()
    try:
        code = compile(text, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        send({"syntax": describe(error)})
        os._exit(1)
    sys.modules[module.__name__] = module
    try:
        exec(code, vars(module))
    except BaseException as error:
        send({"raise": describe(error)})
        os._exit(1)
    names = [name for name, value in vars(module).items() if not name.startswith("__") and not isinstance(value, types.ModuleType)]
    solution = vars(module).get("Solution")
    if isinstance(solution, type):
        names += [name for name in vars(solution) if not name.startswith("_")]
    errors = {
        name: describe_class(value)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == module.__name__
    }
    send({"names": names, "errors": errors})


def describe_class(kind):
    return next((base.__name__ for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base), "Exception")


# Programs may call them as in a script, though `site` is not there.
builtins.exit = builtins.quit = sys.exit
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
module = types.ModuleType("program")
load()
while True:
    answer(receive())
