// Serves the functions of a JavaScript program over the channel. It runs inside the program's own process, so it guards nothing: whatever comes out
// of this process is read as a value, and values are judged elsewhere.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');
const { createRequire } = require('module');

const CHANNEL = 3;
const MAX_DEPTH = 200;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const builtinNames = new Set(Object.getOwnPropertyNames(globalThis));

function receive() {
  const size = receiveExactly(4).readUInt32LE(0);
  return JSON.parse(receiveExactly(size).toString('utf8'));
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

function send(frame) {
  const text = Buffer.from(JSON.stringify(frame), 'utf8');
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32LE(text.length, 0);
  text.copy(bytes, 4);
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(CHANNEL, bytes, at, bytes.length - at);
}

// What the other side knows by number only.
const byNumber = [];
const numbers = new Map();

function numberOf(value) {
  if (!numbers.has(value)) {
    numbers.set(value, byNumber.length);
    byNumber.push(value);
  }
  return numbers.get(value);
}

// A value as JSON; what JSON lacks is an object with the key `$`.
function encode(value, depth = 0) {
  if (depth > MAX_DEPTH) throw new RangeError(`a value is nested deeper than ${MAX_DEPTH} levels`);
  const inner = (item) => encode(item, depth + 1);
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
    case 'function':
      return { $: 'object', v: numberOf(value), type: 'function' };
    case 'symbol':
      return { $: 'object', v: numberOf(value), type: 'symbol' };
  }
  if (value === null) return null;
  if (Array.isArray(value)) return Array.from(value, inner);
  if (value instanceof Map) return { $: 'map', v: Array.from(value, ([key, item]) => [inner(key), inner(item)]) };
  if (value instanceof Set) return { $: 'set', v: Array.from(value, inner) };
  if (value instanceof Date) return { $: 'date', v: encode(value.getTime()) };
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return { $: 'typed', v: [Object.prototype.toString.call(value).slice(8, -1), Array.from(value, inner)] };
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return { $: 'dict', v: Object.keys(value).map((key) => [key, inner(value[key])]) };
  }
  return { $: 'object', v: numberOf(value), type: String(value.constructor && value.constructor.name) };
}

function decode(data) {
  if (Array.isArray(data)) return data.map(decode);
  if (data === null || typeof data !== 'object') return data;
  const value = data.v;
  switch (data.$) {
    case 'dict':
      return Object.fromEntries(value.map(([key, item]) => [decode(key), decode(item)]));
    case 'undefined':
      return undefined;
    case 'float':
      return { nan: NaN, inf: Infinity, '-inf': -Infinity }[value];
    case 'int':
    case 'bigint':
      return BigInt(value);
    case 'map':
      return new Map(value.map(([key, item]) => [decode(key), decode(item)]));
    case 'set':
      return new Set(value.map(decode));
    case 'date':
      return new Date(decode(value));
    case 'typed':
      return globalThis[value[0]].from(value[1].map(decode));
    case 'object':
      return byNumber[value];
    case 'builtin':
      return globalThis[value];
    case 'callback':
      return callback(value);
  }
  throw new TypeError(`a value of the kind ${data.$} is unknown`);
}

// A function that lives on the other side.
function callback(number) {
  return (...args) => {
    send({ callback: number, args: args.map((arg) => encode(arg)) });
    for (;;) {
      const frame = receive();
      if ('ok' in frame) return decode(frame.ok);
      if ('raise' in frame) throw make(frame.raise);
      const reply = perform(frame);
      send(reply instanceof Promise ? { raise: ['Error', 'Error', 'an async function cannot be called from within a callback'] } : reply);
    }
  };
}

function make([, known, message]) {
  const kind = globalThis[known];
  return typeof kind === 'function' ? new kind(message) : new Error(message);
}

function describe(error) {
  if (!(error instanceof Error)) return ['Error', 'Error', `threw ${String(error)}`.slice(0, 2000)];
  let kind = Object.getPrototypeOf(error);
  const name = kind && kind.constructor ? String(kind.constructor.name) : 'Error';
  while (kind && !(kind.constructor && builtinNames.has(kind.constructor.name))) kind = Object.getPrototypeOf(kind);
  return [name, kind && kind.constructor.name !== 'Object' ? kind.constructor.name : 'Error', String(error.message).slice(0, 2000)];
}

function perform(frame) {
  try {
    const args = (frame.args || []).map(decode);
    const value = apply(frame.op, frame.on, args);
    if (value instanceof Promise) {
      return value.then(
        (settled) => reply(frame, args, { $: 'promise', v: encode(settled) }),
        (error) => ({ raise: describe(error), promise: true }),
      );
    }
    return reply(frame, args, frame.op === 'next' && value === DONE ? DONE : encode(value));
  } catch (error) {
    if (error instanceof Missing) return { missing: error.message };
    return { raise: describe(error) };
  }
}

const DONE = Symbol('done');

class Missing extends Error {}

function reply(frame, args, value) {
  if (value === DONE) return { stop: true };
  const changed = [];
  args.forEach((arg, index) => {
    if (typeof arg !== 'object' || arg === null) return;
    const after = encode(arg);
    if (after.$ !== 'object' && JSON.stringify(after) !== JSON.stringify(frame.args[index])) changed.push([index, after]);
  });
  return changed.length > 0 ? { ok: value, changed } : { ok: value };
}

function apply(op, on, args) {
  const target = typeof on === 'string' ? find(on) : decode(on);
  switch (op) {
    case 'name':
      return target;
    case 'call':
      return target(...args);
    case 'new':
      return new target(...args);
    case 'get': {
      const value = target[args[0]];
      return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value)) ? value.bind(target) : value;
    }
    case 'set':
      target[args[0]] = args[1];
      return undefined;
    case 'delete':
      return delete target[args[0]];
    case 'has':
      return args[0] in target;
    case 'instanceof':
      return args[0] instanceof target;
    case 'iter':
      return target[Symbol.iterator]();
    case 'next': {
      const { done, value } = target.next();
      return done ? DONE : value;
    }
    case 'str':
      return String(target);
    case 'json':
      return JSON.stringify(target);
  }
  throw new TypeError(`${op} is unknown`);
}

// Top-level names of a script, what a module exports, or methods of the class `Solution`, as judges of interview questions have it.
function find(name) {
  if (!IDENTIFIER.test(name)) throw new Missing(name);
  const exported = exportsOf();
  if (name in exported) return exported[name];
  try {
    return vm.runInThisContext(name);
  } catch (error) {
    const solution = solutionClass();
    if (solution && name in solution.prototype) {
      const object = new solution();
      return object[name].bind(object);
    }
    throw new Missing(name);
  }
}

let namespace = {};

function exportsOf() {
  const exported = module_.exports;
  if (typeof exported === 'function') return { [exported.name]: exported, ...exported };
  return { ...namespace, ...(exported && typeof exported === 'object' ? exported : {}) };
}

function solutionClass() {
  try {
    const solution = exportsOf().Solution || vm.runInThisContext('Solution');
    return typeof solution === 'function' ? solution : undefined;
  } catch {
    return undefined;
  }
}

function nameList(text) {
  const names = new Set(Object.keys(exportsOf()).filter((name) => IDENTIFIER.test(name)));
  for (const name of new Set(text.match(/[A-Za-z_$][\w$]*/g))) {
    if (builtinNames.has(name) || names.has(name)) continue;
    try {
      if (vm.runInThisContext(`typeof ${name}`) !== 'undefined') names.add(name);
    } catch {
      // A keyword, or a class that is not initialised.
    }
  }
  for (const name of ['require', 'module', 'exports', '__filename', '__dirname']) names.delete(name);
  const solution = solutionClass();
  if (solution) Object.getOwnPropertyNames(solution.prototype).forEach((name) => name !== 'constructor' && names.add(name));
  return [...names];
}

const file = path.join(__dirname, 'program_text.js');
const module_ = { exports: {} };

async function load() {
  const text = fs.readFileSync(file, 'utf8');
  Object.assign(globalThis, { require: createRequire(file), module: module_, exports: module_.exports, __filename: file, __dirname });
  let script;
  try {
    script = new vm.Script(text, { filename: 'program.js', importModuleDynamically: vm.constants && vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  } catch (error) {
    if (!/import|export|await/.test(String(error.message))) {
      send({ syntax: describe(error) });
      process.exit(1);
    }
  }
  try {
    if (script) script.runInThisContext();
    else namespace = await import(path.join(__dirname, 'program_text.mjs'));
  } catch (error) {
    send(error instanceof SyntaxError && !script ? { syntax: describe(error) } : { raise: describe(error) });
    process.exit(1);
  }
  const names = nameList(text);
  const errors = {};
  for (const name of names) {
    try {
      const value = find(name);
      if (typeof value === 'function' && value.prototype instanceof Error) errors[name] = describe(Object.create(value.prototype))[1];
    } catch {
      // A getter of the program that throws.
    }
  }
  send({ names, errors });
}

async function main() {
  await load();
  for (;;) {
    let frame = perform(receive());
    if (frame instanceof Promise) frame = await frame;
    try {
      send(frame);
    } catch (error) {
      send({ raise: describe(error) });
    }
  }
}

main();
