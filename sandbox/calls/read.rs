// Reads the arguments of a call, each as its parameter's type.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;

// An argument is not of the parameter's type.
pub struct NoFit;

// Reads one line of JSON, which the service wrote, in ASCII.
//
// What is never inlined is so for the time that compiling takes, a tenth of it.
pub struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    arguments: usize,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Self {
        Reader { text: text.as_bytes(), at: 0, arguments: 0 }
    }

    // The next argument; a call that does not fit ends the program.
    pub fn argument<T: Get>(&mut self) -> T {
        let is_first = self.arguments == 0;
        self.arguments += 1;
        let found = self.goes_on("]", is_first);
        match found.and_then(|is_there| if is_there { T::get(self) } else { Err(NoFit) }) {
            Ok(value) => value,
            Err(NoFit) => std::panic!(
                "argument {} of the call is no {}",
                self.arguments,
                std::any::type_name::<T>()
            ),
        }
    }

    pub fn done(&mut self) {
        if !self.accept("]") {
            std::panic!("the call has more than {} arguments", self.arguments);
        }
    }

    fn skip_blanks(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    #[inline(never)]
    pub fn accept(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let is_next = self.text[self.at..].starts_with(word.as_bytes());
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    #[inline(never)]
    fn expect(&mut self, word: &str) -> Result<(), NoFit> {
        if self.accept(word) { Ok(()) } else { Err(NoFit) }
    }

    // Whether another element follows in brackets whose opening one was read.
    fn goes_on(&mut self, close: &str, is_first: bool) -> Result<bool, NoFit> {
        if self.accept(close) {
            return Ok(false);
        }
        if !is_first {
            self.expect(",")?;
        }
        Ok(true)
    }

    #[inline(never)]
    fn number(&mut self) -> &'t str {
        self.skip_blanks();
        let from = self.at;
        while self.text.get(self.at).map_or(false, |c| b"+-.0123456789eE".contains(c)) {
            self.at += 1;
        }
        std::str::from_utf8(&self.text[from..self.at]).unwrap_or("")
    }

    fn byte(&mut self) -> Result<u8, NoFit> {
        self.at += 1;
        self.text.get(self.at - 1).copied().ok_or(NoFit)
    }

    #[inline(never)]
    fn string(&mut self) -> Result<String, NoFit> {
        self.expect("\"")?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            match self.byte()? {
                b'"' => return String::from_utf16(&units).map_err(|_| NoFit),
                b'\\' => units.push(self.escaped()?),
                byte => units.push(byte.into()),
            }
        }
    }

    fn escaped(&mut self) -> Result<u16, NoFit> {
        Ok(match self.byte()? {
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4).ok_or(NoFit)?;
                self.at += 4;
                let digits = std::str::from_utf8(digits).map_err(|_| NoFit)?;
                u16::from_str_radix(digits, 16).map_err(|_| NoFit)?
            }
            itself => itself.into(),
        })
    }

    #[inline(never)]
    fn items<T: Get>(&mut self) -> Result<Vec<T>, NoFit> {
        self.expect("[")?;
        let mut items = Vec::new();
        while self.goes_on("]", items.is_empty())? {
            items.push(T::get(self)?);
        }
        Ok(items)
    }

    #[inline(never)]
    fn pairs<K: Get, V: Get>(&mut self) -> Result<Vec<(K, V)>, NoFit> {
        self.expect("{")?;
        let mut pairs = Vec::new();
        while self.goes_on("}", pairs.is_empty())? {
            let key = K::key(self)?;
            self.expect(":")?;
            pairs.push((key, V::get(self)?));
        }
        Ok(pairs)
    }
}

pub trait Get: Sized {
    fn get(from: &mut Reader) -> Result<Self, NoFit>;

    // A key stands in quotes, whatever its type.
    fn key(from: &mut Reader) -> Result<Self, NoFit> {
        let text = from.string()?;
        let mut inside = Reader::new(&text);
        let key = Self::get(&mut inside)?;
        if inside.at == text.len() { Ok(key) } else { Err(NoFit) }
    }
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl Get for $kind {
            fn get(from: &mut Reader) -> Result<Self, NoFit> {
                from.number().parse().map_err(|_| NoFit)
            }
        }
    )*};
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

macro_rules! floats {
    ($($kind:ident)*) => {$(
        impl Get for $kind {
            fn get(from: &mut Reader) -> Result<Self, NoFit> {
                if from.accept("NaN") {
                    Ok($kind::NAN)
                } else if from.accept("Infinity") {
                    Ok($kind::INFINITY)
                } else if from.accept("-Infinity") {
                    Ok($kind::NEG_INFINITY)
                } else {
                    from.number().parse().map_err(|_| NoFit)
                }
            }
        }
    )*};
}

floats! { f32 f64 }

impl Get for bool {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        if from.accept("true") {
            return Ok(true);
        }
        from.expect("false").map(|_| false)
    }
}

impl Get for String {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        from.string()
    }

    fn key(from: &mut Reader) -> Result<Self, NoFit> {
        from.string()
    }
}

impl Get for &'static str {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        from.string().map(|text| &*Box::leak(text.into_boxed_str()))
    }

    fn key(from: &mut Reader) -> Result<Self, NoFit> {
        Self::get(from)
    }
}

impl Get for char {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        let text = from.string()?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(NoFit),
        }
    }

    fn key(from: &mut Reader) -> Result<Self, NoFit> {
        Self::get(from)
    }
}

macro_rules! collections {
    ($($kind:ident ($($bound:ident)*))*) => {$(
        impl<T: Get $(+ $bound)*> Get for $kind<T> {
            fn get(from: &mut Reader) -> Result<Self, NoFit> {
                Ok(from.items()?.into_iter().collect())
            }
        }
    )*};
}

collections! { Vec() VecDeque() HashSet(Eq Hash) BTreeSet(Ord) }

macro_rules! maps {
    ($($kind:ident ($($bound:ident)*))*) => {$(
        impl<K: Get $(+ $bound)*, V: Get> Get for $kind<K, V> {
            fn get(from: &mut Reader) -> Result<Self, NoFit> {
                Ok(from.pairs()?.into_iter().collect())
            }
        }
    )*};
}

maps! { HashMap(Eq Hash) BTreeMap(Ord) }

impl<T: Get, const N: usize> Get for [T; N] {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        from.items()?.try_into().map_err(|_| NoFit)
    }
}

impl<T: Get> Get for Option<T> {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        if from.accept("null") { Ok(None) } else { T::get(from).map(Some) }
    }
}

impl<T: Get> Get for Box<T> {
    fn get(from: &mut Reader) -> Result<Self, NoFit> {
        T::get(from).map(Box::new)
    }
}

macro_rules! tuples {
    ($(($first:ident $($more:ident)*))*) => {$(
        impl<$first: Get, $($more: Get),*> Get for ($first, $($more,)*) {
            fn get(from: &mut Reader) -> Result<Self, NoFit> {
                from.expect("[")?;
                let value = (
                    $first::get(from)?,
                    $({
                        from.expect(",")?;
                        $more::get(from)?
                    },)*
                );
                from.expect("]").map(|_| value)
            }
        }
    )*};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }
