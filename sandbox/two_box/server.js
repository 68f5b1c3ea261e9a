// The submission's box: answers the judge's calls, one at a time, until the channel closes.
//
// All of this is at the mercy of the submission, which stands in the same file. It can send what
// it likes; what arrives is data to the judge.

const things = [];
const numbers = new Map();

const refuses = () => false;

function refer(value) {
  if (!numbers.has(value)) {
    numbers.set(value, things.length);
    things.push(value);
  }
  return { [typeof value === "function" ? "function" : "thing"]: numbers.get(value) };
}

function resolve(kind, content) {
  if (kind === "thing" || kind === "function") return things[content];
  if (kind === "callback") {
    const callback = (...args) => callBack(content, args);
    foreign.set(callback, { callback: content });
    return callback;
  }
  throw new TypeError(`nothing is called ${kind}`);
}

// A function of the judge's: it may call again before it answers.
function callBack(callback, args) {
  send({ nonce: current, callback, args: args.map((arg) => encode(arg, refer)) });
  for (;;) {
    const message = receive();
    if (message === null) process.exit(1);
    if (message.op !== "answer") serve(message);
    else if (message.raised) throw rebuilt(message.raised);
    else return decode(message.result, resolve);
  }
}

function run(request, args) {
  const target = things[request.thing];
  switch (request.op) {
    case "names":
      return request.names.map((name) => Object.hasOwn(named, name) && find(name));
    case "call":
      return apply(target, undefined, args);
    case "new":
      return Reflect.construct(target, args);
    case "get":
      return target[request.key];
    case "set":
      return void (target[request.key] = args[0]);
    case "method":
      return apply(target[request.key], target, args);
    case "is":
      return args[0] instanceof target;
  }
  throw new TypeError(`nothing is done by ${request.op}`);
}

// [value] of a name at the top of the submission, else of what it exports; [] if there is neither.
function find(name) {
  try {
    return [named[name]()];
  } catch {
    const exported = typeof module === "object" && module.exports;
    return exported && name in exported ? [exported[name]] : [];
  }
}

// Arguments that the call changed, so that the judge can change its own.
function changes(before, args) {
  return before.flatMap((text, i) => {
    if (text === null || typeof text !== "object") return [];
    const after = encode(args[i], refer);
    return JSON.stringify(after) === JSON.stringify(text) ? [] : [[i, after]];
  });
}

let current;

function answer(nonce, value, before, args) {
  if (value instanceof Promise) {
    return value.then(
      (settled) => reply({ nonce, promise: 1, result: encode(settled, refer) }),
      (error) => reply({ nonce, promise: 1, raised: words(error) }),
    );
  }
  reply({ nonce, result: encode(value, refer), changed: changes(before, args) });
}

function reply(message) {
  try {
    send(message);
  } catch (error) {
    send({ nonce: message.nonce, raised: words(error) });
  }
}

function serve(request) {
  const outer = current;
  current = request.nonce;
  try {
    const before = request.args || [];
    const args = before.map((arg) => decode(arg, resolve));
    return answer(request.nonce, run(request, args), before, args);
  } catch (error) {
    reply({ nonce: request.nonce, raised: words(error) });
  } finally {
    current = outer;
  }
}

(async () => {
  for (let request = receive(); request !== null; request = receive()) await serve(request);
  process.exit(0);
})();
