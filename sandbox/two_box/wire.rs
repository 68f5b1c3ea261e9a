// What both boxes of a Rust task share: frames on the channel, and values as plain bytes.
//
// Both ends know a value's type, so the bytes hold no types; a reader takes nothing beyond the end
// of its frame. References to text point into the frame that they came in.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::hash::Hash;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::io::FromRawFd;

const CHANNEL: i32 = 4;
const MAX_FRAME: usize = 16 << 20;

pub struct Broken;

pub fn descriptor(number: i32) -> ManuallyDrop<File> {
    ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

// 4 bytes: length | that many bytes
pub fn send(frame: &[u8]) -> Result<(), Broken> {
    if frame.len() > MAX_FRAME {
        return Err(Broken);
    }
    let mut whole = (frame.len() as u32).to_le_bytes().to_vec();
    whole.extend_from_slice(frame);
    descriptor(CHANNEL).write_all(&whole).map_err(|_| Broken)
}

pub fn receive() -> Result<Vec<u8>, Broken> {
    let mut size = [0; 4];
    descriptor(CHANNEL).read_exact(&mut size).map_err(|_| Broken)?;
    let size = u32::from_le_bytes(size) as usize;
    if size > MAX_FRAME {
        return Err(Broken);
    }
    let mut frame = vec![0; size];
    descriptor(CHANNEL).read_exact(&mut frame).map_err(|_| Broken)?;
    Ok(frame)
}

pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn raw(&mut self, size: usize) -> Result<&'a [u8], Broken> {
        if size > self.0.len() {
            return Err(Broken);
        }
        let (head, tail) = self.0.split_at(size);
        self.0 = tail;
        Ok(head)
    }

    // Every element takes a byte at least, so no count can ask for more memory than the frame did.
    fn count(&mut self) -> Result<usize, Broken> {
        let count = u32::get(self)? as usize;
        if count > self.0.len() { Err(Broken) } else { Ok(count) }
    }

    fn items<T: Get<'a>>(&mut self) -> Result<Vec<T>, Broken> {
        (0..self.count()?).map(|_| T::get(self)).collect()
    }
}

pub trait Put {
    fn put(&self, out: &mut Vec<u8>);
}

pub trait Get<'a>: Sized {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken>;
}

macro_rules! numbers {
    ($($kind:ty)*) => {$(
        impl Put for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl<'a> Get<'a> for $kind {
            fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
                let bytes = from.raw(std::mem::size_of::<$kind>())?;
                Ok(<$kind>::from_le_bytes(bytes.try_into().map_err(|_| Broken)?))
            }
        }
    )*};
}

numbers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 }

impl Put for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
}

impl<'a> Get<'a> for bool {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        Ok(u8::get(from)? != 0)
    }
}

impl Put for char {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u32).put(out);
    }
}

impl<'a> Get<'a> for char {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        char::from_u32(u32::get(from)?).ok_or(Broken)
    }
}

impl Put for str {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }
}

impl<'a> Get<'a> for &'a str {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        let size = from.count()?;
        std::str::from_utf8(from.raw(size)?).map_err(|_| Broken)
    }
}

impl Put for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl<'a> Get<'a> for String {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        Ok(<&str>::get(from)?.to_string())
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

impl<T: Put + ?Sized> Put for &mut T {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

fn put_items<T: Put>(count: usize, items: impl Iterator<Item = T>, out: &mut Vec<u8>) {
    (count as u32).put(out);
    items.for_each(|item| item.put(out));
}

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut Vec<u8>) {
        put_items(self.len(), self.iter(), out);
    }
}

macro_rules! collections {
    ($($kind:ident ($($bound:ident)*))*) => {$(
        impl<T: Put> Put for $kind<T> {
            fn put(&self, out: &mut Vec<u8>) {
                put_items(self.len(), self.iter(), out);
            }
        }
        impl<'a, T: Get<'a> $(+ $bound)*> Get<'a> for $kind<T> {
            fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
                Ok(from.items()?.into_iter().collect())
            }
        }
    )*};
}

collections! { Vec() VecDeque() HashSet(Eq Hash) BTreeSet(Ord) }

macro_rules! maps {
    ($($kind:ident ($($bound:ident)*))*) => {$(
        impl<K: Put, V: Put> Put for $kind<K, V> {
            fn put(&self, out: &mut Vec<u8>) {
                put_items(self.len(), self.iter(), out);
            }
        }
        impl<'a, K: Get<'a> $(+ $bound)*, V: Get<'a>> Get<'a> for $kind<K, V> {
            fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
                Ok(from.items()?.into_iter().collect())
            }
        }
    )*};
}

maps! { HashMap(Eq Hash) BTreeMap(Ord) }

impl<T: Put, const N: usize> Put for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_slice().put(out);
    }
}

impl<'a, T: Get<'a>, const N: usize> Get<'a> for [T; N] {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        from.items()?.try_into().map_err(|_| Broken)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        self.iter().for_each(|value| value.put(out));
    }
}

impl<'a, T: Get<'a>> Get<'a> for Option<T> {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        if bool::get(from)? { T::get(from).map(Some) } else { Ok(None) }
    }
}

impl<T: Put, E: Put> Put for Result<T, E> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_ok().put(out);
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }
}

impl<'a, T: Get<'a>, E: Get<'a>> Get<'a> for Result<T, E> {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        if bool::get(from)? { T::get(from).map(Ok) } else { E::get(from).map(Err) }
    }
}

impl<T: Put + ?Sized> Put for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

impl<'a, T: Get<'a>> Get<'a> for Box<T> {
    fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
        T::get(from).map(Box::new)
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Put),*> Put for ($($name,)*) {
            #[allow(non_snake_case)]
            fn put(&self, _out: &mut Vec<u8>) {
                let ($($name,)*) = self;
                $($name.put(_out);)*
                // Not nothing at all, so that a count of these cannot ask for endless memory.
                _out.push(0);
            }
        }
        impl<'a, $($name: Get<'a>),*> Get<'a> for ($($name,)*) {
            fn get(from: &mut Reader<'a>) -> Result<Self, Broken> {
                let value = ($($name::get(from)?,)*);
                from.raw(1)?;
                Ok(value)
            }
        }
    )*};
}

tuples! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }

pub fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    text.chars().take(10_000).collect()
}
