// What both boxes of a JavaScript task share: frames on the channel, and values as plain data.
//
// The text stands before the program of either box, inside one function. Values travel as JSON:
// strings, booleans, null and ordinary numbers as they are, all else as an object with one key
// that says what it is. Whoever decodes makes new objects of its own; nothing of a received value
// is ever run.

const fs = require("fs");
const CHANNEL = 4;
const MAX_FRAME = 16 << 20;
const MAX_DEPTH = 200;
const apply = Reflect.apply;

function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at);
}

function readExactly(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const count = fs.readSync(CHANNEL, bytes, at, size - at, null);
    if (!count) return null;
    at += count;
  }
  return bytes;
}

// 4 bytes: length, big-endian | JSON
function send(message) {
  const text = Buffer.from(JSON.stringify(message));
  if (text.length > MAX_FRAME) throw new RangeError("more data than a call may carry");
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(text.length);
  writeAll(CHANNEL, Buffer.concat([prefix, text]));
}

// The next message; null when the other box closed the channel.
function receive() {
  const prefix = readExactly(4);
  if (prefix === null) return null;
  const size = prefix.readUInt32BE(0);
  if (size > MAX_FRAME) throw new RangeError("more data than a call may carry");
  const text = readExactly(size);
  return text === null ? null : JSON.parse(text.toString());
}

const TYPED = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array,
];

// How a stand-in for something in the other box is written.
const foreign = new WeakMap();

// `refer` says how a function, a promise or an object with a class of its own is written.
function encode(value, refer, depth = 0) {
  if (depth > MAX_DEPTH) throw new RangeError("a value is nested too deeply");
  const inner = (item) => encode(item, refer, depth + 1);
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "undefined":
      return { undefined: 0 };
    case "bigint":
      return { bigint: value.toString() };
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { number: Object.is(value, -0) ? "-0" : String(value) };
    case "symbol":
      throw new TypeError("a symbol is no plain data");
    case "function":
      return foreign.has(value) ? foreign.get(value) : refer(value);
  }
  if (value === null) return null;
  if (foreign.has(value)) return foreign.get(value);
  if (Array.isArray(value)) {
    const items = [];
    for (let i = 0; i < value.length; i++) items.push(i in value ? inner(value[i]) : { hole: 0 });
    return { array: items };
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    const pairs = Object.keys(value).map((key) => [key, inner(value[key])]);
    return { [prototype ? "object" : "bare"]: pairs };
  }
  if (prototype === Map.prototype) return { map: [...value].map((pair) => pair.map(inner)) };
  if (prototype === Set.prototype) return { set: [...value].map(inner) };
  if (prototype === Date.prototype) return { date: inner(value.getTime()) };
  const typed = TYPED.findIndex((kind) => prototype === kind.prototype);
  if (typed >= 0) return { typed: [typed, Array.from(value, inner)] };
  return refer(value);
}

function fromPairs(object, pairs) {
  // Not by assignment: a key may be __proto__.
  for (const [key, value] of pairs) {
    if (typeof value === "function" && refuses(key)) throw new TypeError(`a method ${key}`);
    const hidden = { value, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(object, key, hidden);
  }
  return object;
}

// `resolve` turns what `refer` wrote back; it gets the one key and its content.
function decode(data, resolve) {
  if (data === null || typeof data !== "object") return data;
  const [kind] = Object.keys(data);
  const content = data[kind];
  const inner = (item) => decode(item, resolve);
  switch (kind) {
    case "undefined":
      return undefined;
    case "bigint":
      return BigInt(content);
    case "number":
      return Number(content);
    case "array": {
      const items = new Array(content.length);
      content.forEach((item, i) => item && item.hole === 0 || (items[i] = inner(item)));
      return items;
    }
    case "object":
      return fromPairs({}, content.map(([key, item]) => [String(key), inner(item)]));
    case "bare":
      return fromPairs(Object.create(null), content.map(([k, item]) => [String(k), inner(item)]));
    case "map":
      return new Map(content.map(([key, item]) => [inner(key), inner(item)]));
    case "set":
      return new Set(content.map(inner));
    case "date":
      return new Date(inner(content));
    case "typed":
      return TYPED[content[0]].from(content[1].map(inner));
  }
  return resolve(kind, content, inner);
}

function words(error) {
  try {
    if (error instanceof Error) return [String(error.name), String(error.message)];
    return ["Error", String(error)];
  } catch {
    return ["Error", "what was thrown cannot be written"];
  }
}

function rebuilt([name, message]) {
  const kinds = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : Error;
  const error = new kind(String(message));
  if (error.name !== name) error.name = String(name);
  return error;
}
