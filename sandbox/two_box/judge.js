// The judge's box: makes the submission's names callable for the test code that follows.
//
// What the program sends is decoded into new objects of this box. Its functions and its instances
// of classes are stand-ins that ask the program for a method or a property, and for nothing else:
// they cannot be compared with data, listed or turned into text, so that the program never learns
// what a test expects of it, and never answers in its place. Where the tests make no objects of the
// program's, its results have no methods either that would compare, or that are handed the test's
// assertions: a list with an `every` of its own is no list.

const RESULT = 3;
const standIns = new Map();
const callbacks = [];
let calls = 0;
let failed = 0;
let hasRaised = false;

function report(outcome, message) {
  const lines = [{ plan: ["the tests"] }, { test: 0, outcome, message }, { done: true, flags: [] }];
  writeAll(RESULT, Buffer.from(lines.map((line) => JSON.stringify(line) + "\n").join("")));
}

// The program broke the channel, or sent what is no answer: nothing it says counts any more.
function giveUp(why) {
  report("error", why);
  process.reallyExit(1);
}

function refer(value) {
  if (typeof value !== "function") {
    throw new TypeError("an argument of this class cannot be handed to the program");
  }
  return { callback: callbacks.push(value) - 1 };
}

function resolve(kind, content) {
  if (!Number.isInteger(content) || content < 0) throw new TypeError("no number of a thing");
  if (kind === "callback") return callbacks[content];
  if (kind !== "function" && kind !== "thing") throw new TypeError(`nothing is called ${kind}`);
  const key = `${kind} ${content}`;
  if (!standIns.has(key)) standIns.set(key, standIn(kind, content));
  return standIns.get(key);
}

function opaque() {
  throw new TypeError("an object of the program is no plain data");
}

function standIn(kind, thing) {
  const proxy = new Proxy(kind === "function" ? function () {} : Object.create(null), {
    apply: (_, self, args) => ask({ op: "call", thing }, args),
    construct: (_, args) => ask({ op: "new", thing }, args),
    get: (_, key) => property(kind, thing, key),
    set: (_, key, value) => (ask({ op: "set", thing, key: String(key) }, [value]), true),
    has: opaque,
    ownKeys: opaque,
    getOwnPropertyDescriptor: opaque,
    getPrototypeOf: opaque,
    defineProperty: opaque,
    deleteProperty: opaque,
  });
  foreign.set(proxy, { [kind]: thing });
  return proxy;
}

const COMPARING = new Set([
  "every", "some", "forEach", "map", "filter", "find", "findIndex", "findLast", "findLastIndex",
  "flatMap", "reduce", "reduceRight", "includes", "indexOf", "lastIndexOf", "startsWith",
  "endsWith", "localeCompare", "match", "matchAll", "search", "test", "has", "equals", "equal",
  "isEqual", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "compare", "compareTo",
]);
// With a `then` of its own a result would never let an `await` of the tests go on.
const refuses = (key) => key === "then" || (!makesObjects && COMPARING.has(key));
const TO_TEXT = ["toString", "toLocaleString", "valueOf", "toJSON", "constructor", "__proto__"];

function property(kind, thing, key) {
  if (key === Symbol.hasInstance) {
    return (value) => foreign.has(value) && ask({ op: "is", thing }, [value]) === true;
  }
  if (key === "then") return undefined;
  if (typeof key === "symbol" || TO_TEXT.includes(key) || refuses(key)) return opaque();
  const value = ask({ op: "get", thing, key }, []);
  return typeof value === "function" ? (...args) => ask({ op: "method", thing, key }, args) : value;
}

function ask(request, args) {
  const nonce = Math.random() + ":" + process.hrtime.bigint();
  calls += 1;
  const sent = { ...request, nonce, args: args.map((arg) => encode(arg, refer)) };
  exchange(() => send(sent));
  for (;;) {
    const message = exchange(receive);
    if (message === null || typeof message !== "object") giveUp("the program closed the channel");
    if (message.nonce !== nonce) giveUp("the program answered before it was asked");
    if ("callback" in message) answerCallback(message);
    else return taken(message, args);
  }
}

function exchange(step) {
  try {
    return step();
  } catch (error) {
    return giveUp(`the channel: ${error.message}`);
  }
}

function taken(message, args) {
  if (message.raised) {
    hasRaised = true;
    const error = exchange(() => rebuilt(message.raised));
    if (message.promise) return Promise.reject(error);
    throw error;
  }
  const result = exchange(() => decode(message.result, resolve));
  for (const [i, data] of message.changed || []) {
    // Not `__proto__`, which every array of the tests has.
    if (!Number.isInteger(i) || !Object.hasOwn(args, i)) giveUp("a change of no argument");
    merge(args[i], exchange(() => decode(data, resolve)));
  }
  return message.promise ? Promise.resolve(result) : result;
}

function answerCallback(message) {
  let reply;
  try {
    if (!Number.isInteger(message.callback)) throw new TypeError("no number of a function");
    const args = message.args.map((arg) => decode(arg, resolve));
    reply = { op: "answer", result: encode(callbacks[message.callback](...args), refer) };
  } catch (error) {
    reply = { op: "answer", raised: words(error) };
  }
  exchange(() => send(reply));
}

// Makes an argument of the test's what the call made of it, keeping the objects that it consists of.
function merge(mine, theirs) {
  if (mine === null || typeof mine !== "object" || foreign.has(mine)) return theirs;
  if (Object.getPrototypeOf(mine) !== Object.getPrototypeOf(Object(theirs))) return theirs;
  if (mine instanceof Map || mine instanceof Set) {
    mine.clear();
    for (const item of theirs) mine instanceof Map ? mine.set(...item) : mine.add(item);
  } else if (mine instanceof Date) {
    mine.setTime(theirs.getTime());
  } else {
    if (Array.isArray(mine)) mine.length = theirs.length;
    for (const key of Object.keys(mine)) if (!Object.hasOwn(theirs, key)) delete mine[key];
    const own = (key) => (Object.hasOwn(mine, key) ? mine[key] : undefined);
    const pairs = Object.keys(theirs).map((key) => [key, merge(own(key), theirs[key])]);
    if (ArrayBuffer.isView(mine)) mine.set(theirs);
    else fromPairs(mine, pairs);
  }
  return mine;
}

function introduce(names) {
  const wanted = names.filter((name) => name === entryPoint || !(name in globalThis));
  const found = ask({ op: "names", names: wanted }, []);
  wanted.forEach((name, i) => {
    if (Array.isArray(found[i]) && found[i].length) globalThis[name] = found[i][0];
  });
  calls = 0;
}

console.assert = (isRight, ...message) => {
  if (isRight) return;
  failed += 1;
  console.error("Assertion failed", ...message);
};

process.on("exit", (code) => {
  if (code === 0 && failed === 0 && calls === 0) giveUp("the tests called nothing of the program");
  if (code === 0 && failed === 0) report("passed", "");
  else if (hasRaised && failed === 0) report("error", "the program threw");
  else report("failed", "a test failed");
});

globalThis.assert = require("assert");
introduce(names);
