// The judge's box: calls the program for the stand-ins that follow, runs the tests and reports.
//
// Nothing counts but the report, which this program writes when all tests were run.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

static CALLS: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static HAS_RAISED: AtomicBool = AtomicBool::new(false);

// The program broke the channel, or sent what is no answer: nothing it says counts any more.
pub fn give_up(why: &str) -> ! {
    record(RUNNING.load(SeqCst), "error", why);
    finish();
    std::process::exit(1)
}

fn say(line: String) {
    let _ = descriptor(3).write_all((line + "\n").as_bytes());
}

fn record(test: usize, outcome: &str, message: &str) {
    let text = format!("\"outcome\":\"{}\",\"message\":\"{}\"", outcome, message);
    say(format!("{{\"test\":{},{}}}", test, text));
}

fn finish() {
    say("{\"done\":true,\"flags\":[]}".to_string());
}

// An answer must name its question, and no question can be known before it was asked.
fn fresh_nonce() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(CALLS.fetch_add(1, SeqCst));
    hasher.finish()
}

pub struct Call {
    nonce: u64,
    out: Vec<u8>,
}

pub struct Reply(Reader<'static>);

impl Call {
    pub fn new(function: u32) -> Self {
        let nonce = fresh_nonce();
        let mut out = Vec::new();
        nonce.put(&mut out);
        function.put(&mut out);
        Call { nonce, out }
    }

    pub fn give<T: Put + ?Sized>(&mut self, argument: &T) {
        argument.put(&mut self.out);
    }

    pub fn ask(self) -> Reply {
        let frame = match send(&self.out).and_then(|_| receive()) {
            Ok(frame) => frame,
            Err(_) => give_up("the program closed the channel"),
        };
        // Never freed: texts of results point into it.
        let mut reply = Reply(Reader(Box::leak(frame.into_boxed_slice())));
        let (nonce, has_returned) = reply.take::<(u64, bool)>();
        if nonce != self.nonce {
            give_up("the program answered before it was asked");
        }
        if !has_returned {
            HAS_RAISED.store(true, SeqCst);
            panic!("{}", reply.take::<String>());
        }
        reply
    }
}

impl Reply {
    pub fn take<T: Get<'static>>(&mut self) -> T {
        T::get(&mut self.0).unwrap_or_else(|_| give_up("the program sent what is no answer"))
    }

    pub fn lasting<T: Get<'static>>(&mut self) -> &'static T {
        Box::leak(Box::new(self.take()))
    }

    pub fn lasting_slice<T: Get<'static>>(&mut self) -> &'static [T] {
        Box::leak(self.take::<Vec<T>>().into_boxed_slice())
    }

    pub fn take_into<T: Get<'static>>(&mut self, slice: &mut [T]) {
        let items = self.take::<Vec<T>>();
        if items.len() != slice.len() {
            give_up("the program sent what is no answer");
        }
        slice.iter_mut().zip(items).for_each(|(place, item)| *place = item);
    }
}

// What a test may return.
pub trait Outcome {
    fn check(self);
}

impl Outcome for () {
    fn check(self) {}
}

impl<E: std::fmt::Debug> Outcome for Result<(), E> {
    fn check(self) {
        self.unwrap()
    }
}

pub struct Test {
    pub name: &'static str,
    pub run: fn(),
    // With a message that holds this text.
    pub should_panic: Option<&'static str>,
}

pub fn run(tests: &[Test]) {
    let names: Vec<String> = tests.iter().map(|test| format!("\"{}\"", test.name)).collect();
    say(format!("{{\"plan\":[{}]}}", names.join(",")));
    for (number, test) in tests.iter().enumerate() {
        RUNNING.store(number, SeqCst);
        HAS_RAISED.store(false, SeqCst);
        let panic = catch_unwind(test.run).err().map(|panic| words(&*panic));
        let is_right = match (&panic, test.should_panic) {
            (Some(message), Some(expected)) => message.contains(expected),
            (panic, expected) => panic.is_none() && expected.is_none(),
        };
        if is_right && CALLS.load(SeqCst) == 0 {
            record(number, "error", "the tests called nothing of the program");
        } else if is_right {
            record(number, "passed", "");
        } else if panic.is_some() && HAS_RAISED.load(SeqCst) {
            record(number, "error", "the program panicked");
        } else {
            record(number, "failed", "a test failed");
        }
    }
    finish();
}
