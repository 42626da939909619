//! Reads postcard's format from bytes that strangers may have written: as deep as the stack allows and no deeper, and
//! never more elements than the bytes can hold. Single values are read by postcard itself.

use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::bounds::{DEEPEST_READ, MOST_EMPTY, TOO_DEEP, TOO_MANY_EMPTY};

/// A value at the beginning of these bytes, and the bytes after it.
pub(crate) fn take_from_bytes<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
) -> Result<(T, &'de [u8]), Error> {
    let mut source = Source {
        rest: bytes,
        depth: 0,
        empty: 0,
    };
    let value = T::deserialize(&mut source)?;
    Ok((value, source.rest))
}

struct Source<'de> {
    rest: &'de [u8],
    depth: u8,
    /// How many elements have taken no byte.
    empty: u32,
}

impl<'de> Source<'de> {
    /// A single value.
    fn take<T: Deserialize<'de>>(&mut self) -> Result<T, Error> {
        let (value, rest) = postcard::take_from_bytes(self.rest).map_err(Error::custom)?;
        self.rest = rest;
        Ok(value)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let end = || Error::custom(postcard::Error::DeserializeUnexpectedEnd);
        let (byte, rest) = self.rest.split_first().ok_or_else(end)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn length(&mut self) -> Result<usize, Error> {
        usize::try_from(self.take::<u64>()?).map_err(Error::custom)
    }

    /// One level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEEPEST_READ {
            return Err(Error::custom(TOO_DEEP));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// As many parts as the type says.
    fn parts<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value, Error> {
        self.nested(|source| visitor.visit_seq(Parts { source, left }))
    }
}

macro_rules! scalars {
    ($($method:ident => $visit:ident($type:ty);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.take::<$type>()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Source<'de> {
    type Error = Error;

    scalars! {
        deserialize_bool => visit_bool(bool);
        deserialize_i8 => visit_i8(i8);
        deserialize_i16 => visit_i16(i16);
        deserialize_i32 => visit_i32(i32);
        deserialize_i64 => visit_i64(i64);
        deserialize_i128 => visit_i128(i128);
        deserialize_u16 => visit_u16(u16);
        deserialize_u32 => visit_u32(u32);
        deserialize_u64 => visit_u64(u64);
        deserialize_u128 => visit_u128(u128);
        deserialize_f32 => visit_f32(f32);
        deserialize_f64 => visit_f64(f64);
        deserialize_char => visit_char(char);
        deserialize_str => visit_borrowed_str(&'de str);
        deserialize_string => visit_borrowed_str(&'de str);
        deserialize_bytes => visit_borrowed_bytes(&'de [u8]);
        deserialize_byte_buf => visit_borrowed_bytes(&'de [u8]);
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.byte()?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom(
            "the type wants to be told by the bytes what they are, and these do not describe themselves",
        ))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.byte()? {
            0 => visitor.visit_none(),
            1 => self.nested(|source| visitor.visit_some(source)),
            other => Err(Error::custom(format!("{other} is no option"))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.nested(|source| visitor.visit_newtype_struct(source))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.length()?;
        self.nested(|source| visitor.visit_seq(Elements(Parts { source, left })))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.parts(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.parts(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.length()?;
        self.nested(|source| visitor.visit_map(Elements(Parts { source, left })))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.parts(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<'de> EnumAccess<'de> for &mut Source<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let index = self.take::<u32>()?;
        Ok((seed.deserialize(index.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Source<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.nested(|source| seed.deserialize(source))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.nested(|source| source.parts(len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.tuple_variant(fields.len(), visitor)
    }
}

/// The parts of a tuple or a struct.
struct Parts<'a, 'de> {
    source: &'a mut Source<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.source).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The elements of a sequence or a map: as many as the bytes say.
struct Elements<'a, 'de>(Parts<'a, 'de>);

impl<'de> Elements<'_, 'de> {
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let before = self.0.source.rest.len();
        let element = self.0.next_element_seed(seed)?;
        let source = &mut *self.0.source;
        // Elements that take bytes end with the bytes.
        if element.is_some() && source.rest.len() == before {
            source.empty += 1;
            if source.empty > MOST_EMPTY {
                return Err(Error::custom(TOO_MANY_EMPTY));
            }
        }
        Ok(element)
    }

    /// Room is made for as many elements as are hinted at, so nothing is said that the bytes cannot hold.
    fn hint(&self) -> Option<usize> {
        Some(self.0.left).filter(|left| *left <= self.0.source.rest.len())
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(&mut *self.0.source)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}
