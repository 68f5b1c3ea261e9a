// The submission's box: answers the judge's calls, one at a time, until the channel closes.
//
// All of this is at the mercy of the submission, which stands in the same program. It can send
// what it likes; what arrives is data to the judge.

use std::panic::{catch_unwind, AssertUnwindSafe};

pub type Answer = for<'a> fn(u32, &mut Reader<'a>, &mut Vec<u8>) -> Result<(), Broken>;

pub fn serve(answer: Answer) -> Result<(), Broken> {
    loop {
        let frame = receive()?;
        let mut request = Reader(&frame);
        let nonce = u64::get(&mut request)?;
        let mut out = Vec::new();
        (nonce, true).put(&mut out);
        let function = u32::get(&mut request)?;
        let ended = catch_unwind(AssertUnwindSafe(|| answer(function, &mut request, &mut out)));
        if let Err(panic) = ended {
            out.clear();
            (nonce, false).put(&mut out);
            words(&*panic).put(&mut out);
        } else if out.len() > MAX_FRAME {
            out.clear();
            (nonce, false).put(&mut out);
            "more data than a call may carry".put(&mut out);
        }
        send(&out)?;
    }
}
