// Writes a result as JSON. A map is {"$dict": [[key, value], ...]}, whatever its keys are.

use std::borrow::Cow;
use std::collections::LinkedList;
use std::rc::Rc;
use std::sync::Arc;

pub trait Put {
    fn put(&self, out: &mut String);
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => out.push_str(&std::format!("\\u{:04x}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[inline(never)]
fn put_items<T: Put>(items: impl Iterator<Item = T>, out: &mut String) {
    out.push('[');
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.push(',');
        }
        item.put(out);
    }
    out.push(']');
}

struct Pair<'a, K, V>(&'a K, &'a V);

impl<K: Put, V: Put> Put for Pair<'_, K, V> {
    fn put(&self, out: &mut String) {
        let mut name = String::new();
        self.0.put(&mut name);
        out.push('[');
        if name.starts_with('"') {
            out.push_str(&name);
        } else {
            quote(&name, out);
        }
        out.push(',');
        self.1.put(out);
        out.push(']');
    }
}

macro_rules! put_integers {
    ($($kind:ty)*) => {$(
        impl Put for $kind {
            fn put(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }
        }
    )*};
}

put_integers! { bool i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

macro_rules! put_floats {
    ($($kind:ty)*) => {$(
        impl Put for $kind {
            // The shortest digits that mean this value: 0.1f32 is 0.1. And never an integer's.
            fn put(&self, out: &mut String) {
                if self.is_infinite() {
                    out.push_str(if *self > 0.0 { "Infinity" } else { "-Infinity" });
                } else {
                    out.push_str(&std::format!("{:?}", self));
                }
            }
        }
    )*};
}

put_floats! { f32 f64 }

impl Put for str {
    fn put(&self, out: &mut String) {
        quote(self, out);
    }
}

impl Put for String {
    fn put(&self, out: &mut String) {
        quote(self, out);
    }
}

impl Put for char {
    fn put(&self, out: &mut String) {
        quote(&self.to_string(), out);
    }
}

impl Put for () {
    fn put(&self, out: &mut String) {
        out.push_str("null");
    }
}

macro_rules! put_what_it_holds {
    ($($kind:ty)*) => {$(
        impl<T: Put + ?Sized> Put for $kind {
            fn put(&self, out: &mut String) {
                (**self).put(out);
            }
        }
    )*};
}

put_what_it_holds! { &T &mut T Box<T> Rc<T> Arc<T> }

impl<T: Put + ToOwned + ?Sized> Put for Cow<'_, T> {
    fn put(&self, out: &mut String) {
        (**self).put(out);
    }
}

macro_rules! put_collections {
    ($($kind:ident)*) => {$(
        impl<T: Put> Put for $kind<T> {
            fn put(&self, out: &mut String) {
                put_items(self.iter(), out);
            }
        }
    )*};
}

put_collections! { Vec VecDeque LinkedList BTreeSet }

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut String) {
        put_items(self.iter(), out);
    }
}

impl<T: Put, const N: usize> Put for [T; N] {
    fn put(&self, out: &mut String) {
        put_items(self.iter(), out);
    }
}

impl<T: Put + Ord> Put for HashSet<T> {
    fn put(&self, out: &mut String) {
        let mut items: Vec<&T> = self.iter().collect();
        items.sort();
        put_items(items.into_iter(), out);
    }
}

macro_rules! put_maps {
    ($($kind:ident)*) => {$(
        impl<K: Put, V: Put> Put for $kind<K, V> {
            fn put(&self, out: &mut String) {
                out.push_str("{\"$dict\":");
                put_items(self.iter().map(|(key, value)| Pair(key, value)), out);
                out.push('}');
            }
        }
    )*};
}

put_maps! { HashMap BTreeMap }

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut String) {
        match self {
            Some(value) => value.put(out),
            None => out.push_str("null"),
        }
    }
}

// As an exception is in other languages, an error is no result.
impl<T: Put, E> Put for Result<T, E> {
    fn put(&self, out: &mut String) {
        match self {
            Ok(value) => value.put(out),
            Err(_) => std::panic!("the function returned an error"),
        }
    }
}

macro_rules! put_tuples {
    ($(($first:ident $($more:ident)*))*) => {$(
        impl<$first: Put, $($more: Put),*> Put for ($first, $($more,)*) {
            #[allow(non_snake_case)]
            fn put(&self, out: &mut String) {
                let ($first, $($more,)*) = self;
                out.push('[');
                $first.put(out);
                $(
                    out.push(',');
                    $more.put(out);
                )*
                out.push(']');
            }
        }
    )*};
}

put_tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }
