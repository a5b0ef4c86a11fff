// Runs the text of a test against a program that lives in another process. Only trusted text runs here: this driver and the test. The program's
// names stand for remote objects; what it answers is decoded to plain values. The end of a test is told by this driver alone, over a channel that the
// program does not have.
'use strict';
const assert = require('assert');
const fs = require('fs');
const vm = require('vm');

const CHANNEL = 3;
const TYPED = ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array'];
const ERRORS = ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError', 'AggregateError'];
const BUILTINS = ['Number', 'String', 'Boolean', 'Array', 'Object', 'parseInt', 'parseFloat', 'isNaN', 'BigInt', 'Symbol'];

function receive() {
  const size = receiveExactly(4).readUInt32LE(0);
  return receiveExactly(size).toString('utf8');
}

function receiveExactly(size) {
  const buffer = Buffer.alloc(size);
  let at = 0;
  while (at < size) {
    const n = fs.readSync(CHANNEL, buffer, at, size - at, null);
    if (n === 0) process.exit(0);
    at += n;
  }
  return buffer;
}

function send(kind, frame) {
  const text = Buffer.from(kind + JSON.stringify(frame), 'utf8');
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32LE(text.length, 0);
  text.copy(bytes, 4);
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(CHANNEL, bytes, at, bytes.length - at);
}

// The test cannot go on. A test that swallows it does not pass either, since the state keeps it.
class Refused extends Error {
  constructor(reason) {
    super(reason);
    state.refused ??= reason;
  }
}

let state;

const remoteNumbers = new WeakMap();

// An object that a function gave instead of data could answer these as the test hopes.
const DATA_METHODS = new Set([Array, String, Number, Object, Map, Set, Date].flatMap((kind) => Object.getOwnPropertyNames(kind.prototype)));
DATA_METHODS.delete('constructor');

// An object of the program. Nothing is decided by its own operators: they could say whatever the test wants to hear. Methods that data has too, such as
// `every`, are for objects that the test made itself with `new`, and other objects have one size.
function remote(number, label) {
  if (state.remotes.has(number)) return state.remotes.get(number);
  const target = label === 'function' ? function () {} : {};
  const self = new Proxy(target, {
    apply: (_, __, args) => request('call', self, args),
    construct: (_, args) => {
      const made = Object(request('new', self, args));
      state.made.add(made);
      return made;
    },
    get: (_, key) => property(self, key),
    set: (_, key, value) => {
      request('set', self, [String(key), value]);
      return true;
    },
    deleteProperty: (_, key) => expect('boolean', request('delete', self, [String(key)])),
    has: (_, key) => typeof key === 'string' && expect('boolean', request('has', self, [key])),
    getPrototypeOf: () => refuse(label),
    ownKeys: () => refuse(label),
  });
  remoteNumbers.set(self, number);
  state.remotes.set(number, self);
  return self;
}

function refuse(label) {
  throw new Refused(`the program gave an object (${label}) where the test compares values`);
}

function property(self, key) {
  if (key === Symbol.toPrimitive) return (hint) => (hint === 'string' ? expect('string', request('str', self)) : refuse('an operand'));
  if (key === Symbol.hasInstance) return (value) => expect('boolean', request('instanceof', self, [value]));
  if (key === Symbol.iterator) return () => iterate(self);
  if (key === 'then') return undefined;
  if (key === 'toJSON') return () => JSON.parse(expect('string', request('json', self)));
  if (typeof key === 'symbol') return undefined;
  const value = request('get', self, [key]);
  if (state.made.has(self)) return value;
  if (DATA_METHODS.has(key) && typeof value === 'function') throw new Refused(`the program gave an object where the test calls '${key}' of a value`);
  return key === 'length' || key === 'size' ? sized(self, value) : value;
}

function sized(self, size) {
  if (!state.sizes.has(self)) state.sizes.set(self, size);
  if (state.sizes.get(self) !== size) throw new Refused('the program gave an object whose size changes');
  return size;
}

function* iterate(self) {
  const iterator = request('iter', self);
  for (let size = 0; ; size += 1) {
    const answer = exchange('next', iterator, []);
    if (answer.stop === true) {
      if (state.sizes.has(self)) sized(self, size);
      return;
    }
    yield result(answer, []);
  }
}

function expect(kind, value) {
  if (typeof value !== kind) throw new Refused(`the program's object gave ${typeof value}, expected ${kind}`);
  return value;
}

function request(op, on, args = []) {
  return result(exchange(op, on, args), args);
}

// Asks the program and serves its calls of the test's functions until it answers.
function exchange(op, on, args) {
  if (op === 'call') state.lastCall = `${state.labels.get(on) || 'a function of the program'}(${args.map(short).join(', ')})`;
  send('Q', { op, on: typeof on === 'string' ? on : encode(on), args: args.map(encode) });
  for (;;) {
    const answer = readAnswer();
    if (!('callback' in answer)) return answer;
    send('Q', callBack(answer));
  }
}

function readAnswer() {
  let answer;
  try {
    answer = JSON.parse(receive());
  } catch (error) {
    throw new Refused(`the program's answer cannot be read: ${error.message}`);
  }
  if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) throw new Refused("the program's answer cannot be read: not an object");
  return answer;
}

function callBack(answer) {
  let called, args;
  try {
    called = state.callbacks[answer.callback];
    args = answer.args.map(decode);
    if (typeof called !== 'function') throw new TypeError('no such function');
  } catch (error) {
    throw new Refused(`the program's call of a function of the test cannot be read: ${error.message}`);
  }
  try {
    return { ok: encode(called(...args)) };
  } catch (error) {
    if (error instanceof Refused) throw error;
    return { raise: [String(error && error.name), ERRORS.includes(error && error.name) ? error.name : 'Error', String(error && error.message)] };
  }
}

// The decoded value. Arrays and other containers among the arguments are brought to the state that the program left them in.
function result(answer, args) {
  if (!('ok' in answer)) {
    const error = failure(answer);
    if (answer.promise !== true) throw error;
    return Promise.reject(error);
  }
  let value;
  try {
    value = decode(answer.ok);
    for (const [index, changed] of answer.changed || []) update(args[index], decode(changed));
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(`the program's answer cannot be read: ${error.message}`);
  }
  state.lastGave = short(value);
  return value;
}

function failure(answer) {
  if (typeof answer.missing === 'string') return new ReferenceError(`the program does not define '${answer.missing.slice(0, 100)}'`);
  if (!Array.isArray(answer.raise) || !answer.raise.every((part) => typeof part === 'string')) {
    return new Refused("the program's exception cannot be read");
  }
  const [name, known, message] = answer.raise;
  const kind = state.errors.get(name) || (ERRORS.includes(known) && known !== 'AggregateError' ? globalThis[known] : Error);
  const error = new kind(message);
  error.message = message;
  state.ofProgram.set(error, `${name}: ${message}`);
  return error;
}

// Gives containers of the test the content that the program gave them, inner ones in place where the shapes agree.
function update(old, fresh) {
  if (Array.isArray(old) && Array.isArray(fresh)) {
    old.length = fresh.length;
    fresh.forEach((item, index) => {
      old[index] = both(old[index], item) ? updated(old[index], item) : item;
    });
  } else if ((old instanceof Map && fresh instanceof Map) || (old instanceof Set && fresh instanceof Set)) {
    old.clear();
    for (const item of fresh) old instanceof Map ? old.set(item[0], item[1]) : old.add(item);
  } else if (both(old, fresh) && Object.getPrototypeOf(old) === Object.prototype) {
    for (const key of Object.keys(old)) if (!(key in fresh)) delete old[key];
    for (const key of Object.keys(fresh)) old[key] = both(old[key], fresh[key]) ? updated(old[key], fresh[key]) : fresh[key];
  }
}

function both(old, fresh) {
  const isContainer = (value) => typeof value === 'object' && value !== null && !remoteNumbers.has(value);
  return isContainer(old) && isContainer(fresh) && Array.isArray(old) === Array.isArray(fresh);
}

function updated(old, fresh) {
  update(old, fresh);
  return old;
}

function encode(value) {
  switch (typeof value) {
    case 'undefined':
      return { $: 'undefined', v: null };
    case 'boolean':
    case 'string':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : { $: 'float', v: Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf' };
    case 'bigint':
      return { $: 'bigint', v: value.toString() };
    case 'symbol':
      throw new Refused('the test passes a symbol, which cannot cross to the program');
  }
  if (value === null) return null;
  if (remoteNumbers.has(value)) return { $: 'object', v: remoteNumbers.get(value) };
  if (typeof value === 'function') {
    if (BUILTINS.includes(value.name) && globalThis[value.name] === value) return { $: 'builtin', v: value.name };
    state.callbacks.push(value);
    return { $: 'callback', v: state.callbacks.length - 1 };
  }
  if (Array.isArray(value)) return Array.from(value, encode);
  if (value instanceof Map) return { $: 'map', v: Array.from(value, ([key, item]) => [encode(key), encode(item)]) };
  if (value instanceof Set) return { $: 'set', v: Array.from(value, encode) };
  if (value instanceof Date) return { $: 'date', v: encode(value.getTime()) };
  if (ArrayBuffer.isView(value) && TYPED.includes(value.constructor.name)) return { $: 'typed', v: [value.constructor.name, Array.from(value, encode)] };
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return { $: 'dict', v: Object.keys(value).map((key) => [key, encode(value[key])]) };
  throw new Refused(`the test passes an object of the class ${value.constructor && value.constructor.name}, which cannot cross to the program`);
}

function decode(data) {
  if (Array.isArray(data)) return data.map(decode);
  if (data === null || typeof data !== 'object') return data;
  const value = data.v;
  switch (data.$) {
    case 'dict': {
      const object = {};
      // Defined, not assigned: `__proto__` is a key like any other.
      for (const [key, item] of value) {
        Object.defineProperty(object, expectKey(key), { value: decode(item), writable: true, enumerable: true, configurable: true });
      }
      return object;
    }
    case 'undefined':
      return undefined;
    case 'float':
      return { nan: NaN, inf: Infinity, '-inf': -Infinity }[expect('string', value)];
    case 'bigint':
      return BigInt(expect('string', value));
    case 'map':
      return new Map(value.map(([key, item]) => [decode(key), decode(item)]));
    case 'set':
      return new Set(value.map(decode));
    case 'date':
      return new Date(decode(value));
    case 'typed':
      if (!TYPED.includes(value[0])) throw new TypeError('a typed array of an unknown kind');
      return globalThis[value[0]].from(value[1].map(decode));
    case 'promise':
      return Promise.resolve(decode(value));
    case 'object':
      return remote(expect('number', value), String(data.type || 'object'));
  }
  throw new TypeError(`a value of the kind ${String(data.$)}`);
}

function expectKey(key) {
  if (typeof key !== 'string') throw new TypeError('a key that is no text');
  return key;
}

// A value as text for a reason, without asking the program.
function short(value) {
  if (value !== null && (typeof value === 'object' || typeof value === 'function') && remoteNumbers.has(value)) return '<object of the program>';
  let text;
  try {
    text = typeof value === 'function' ? '<function>' : typeof value === 'bigint' ? `${value}n` : JSON.stringify(value) ?? String(value);
  } catch {
    return '?';
  }
  return text.length <= 200 ? text : `${text.slice(0, 120)} … ${text.slice(-60)}`;
}

// What the names of the test stand for. Names that this process has itself are never the program's. A name is asked for when it is read, not before:
// a word in the test's strings may be what the test expects.
function bind(text, program) {
  const names = new Set(text.match(/[A-Za-z_$][\w$]*/g));
  const bound = program.names.filter((name) => names.has(name) && !(name in globalThis));
  for (const name of bound) {
    const get = () => {
      const value = state.errors.get(name) || request('name', name);
      if (value !== null && (typeof value === 'object' || typeof value === 'function')) state.labels.set(value, name);
      return value;
    };
    Object.defineProperty(globalThis, name, { get, configurable: true });
  }
  return bound;
}

async function run(test) {
  state = {
    refused: undefined,
    failed: undefined,
    gave: undefined,
    callbacks: [],
    remotes: new Map(),
    errors: new Map(),
    labels: new Map(),
    made: new Set(),
    sizes: new Map(),
    ofProgram: new Map(),
    lastCall: '',
    lastGave: '',
  };
  const text = `${test.setup || ''}\n${test.test}`;
  let main;
  try {
    main = new vm.Script(`(async () => {\n${text}\n})`, { filename: 'test.js', importModuleDynamically: undefined }).runInThisContext();
  } catch (error) {
    return { end: 'bad', reason: `${error.name}: ${error.message}` };
  }
  for (const [name, base] of Object.entries(test.program.errors)) {
    const parent = ERRORS.includes(base) && base !== 'AggregateError' ? globalThis[base] : Error;
    state.errors.set(name, { [name]: class extends parent {} }[name]);
  }
  let bound = [];
  try {
    bound = bind(text, test.program);
    await main();
    await settled();
  } catch (error) {
    state.failed ??= error ?? new Error('threw nothing');
  }
  bound.forEach((name) => delete globalThis[name]);
  return ending(text);
}

// Waits for timers and promises that the test started and did not wait for.
async function settled() {
  do {
    await new Promise((resolve) => setImmediate(resolve));
    if (process.getActiveResourcesInfo().includes('Timeout')) await new Promise((resolve) => setTimeout(resolve, 2));
  } while (process.getActiveResourcesInfo().includes('Timeout'));
}

function ending(text) {
  if (state.refused !== undefined) return { end: 'failed', reason: state.refused };
  const error = state.failed;
  if (error === undefined) return { end: 'passed', reason: '' };
  const ofProgram = state.ofProgram.get(error);
  if (ofProgram !== undefined) return { end: 'error', reason: `${ofProgram.slice(0, 300)} in ${state.lastCall}` };
  const at = /test\.js:(\d+)/.exec(String(error && error.stack));
  const line = (at && text.split('\n')[Number(at[1]) - 2] || '').trim().slice(0, 300);
  const gave = state.gave || state.lastCall ? `; ${state.gave || `${state.lastCall} gave ${state.lastGave}`}` : '';
  if (error instanceof ReferenceError) return { end: 'error', reason: `${error.message}: ${line}` };
  return { end: 'failed', reason: `${line}: ${String(error && error.message).slice(0, 200)}${gave}` };
}

process.on('unhandledRejection', (error) => {
  state.failed ??= error ?? new Error('a promise was rejected');
});
process.on('uncaughtException', (error) => {
  state.failed ??= error ?? new Error('threw nothing');
});
console.assert = (holds, ...message) => {
  if (holds) return;
  state.gave ??= state.lastGave && `${state.lastCall} gave ${state.lastGave}`;
  state.failed ??= new assert.AssertionError({ message: message.map((part) => (typeof part === 'string' ? part : short(part))).join(' ') || 'does not hold' });
};
Object.assign(globalThis, { assert, require });

async function main() {
  for (;;) send('E', await run(JSON.parse(receive())));
}

main();
