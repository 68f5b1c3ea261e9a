// Calls a function: its arguments come as JSON on stdin, its result leaves as JSON on descriptor 3.
//
// All of this is at the mercy of the submission, which stands in the same program. What it writes
// is data, compared elsewhere with a value that is not here.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::io::FromRawFd;

pub fn serve(answer: fn(&mut Reader) -> String) {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("the arguments of the call");
    let mut from = Reader::new(&text);
    if !(from.accept("{\"args\":") && from.accept("[")) {
        std::panic!("no arguments of a call");
    }
    let result = answer(&mut from);
    let mut out = ManuallyDrop::new(unsafe { File::from_raw_fd(3) });
    out.write_all(result.as_bytes()).expect("the result's descriptor");
}

pub fn json<T: Put>(result: T) -> String {
    let mut out = String::new();
    result.put(&mut out);
    out
}
