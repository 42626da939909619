//! Lets a serializer take nothing that would not be read again: see [`bounds`](super::bounds).

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::bounds::{DEEPEST, MOST_EMPTY, TOO_DEEP, TOO_MANY_EMPTY};

/// What is known of one value while it is serialized.
#[derive(Default)]
pub(super) struct Watch {
    /// Changes with everything that takes a byte.
    written: Cell<u64>,
    empty: Cell<u32>,
    /// Why the value is refused; not every serializer keeps the words of an error.
    refused: Cell<Option<&'static str>>,
}

impl Watch {
    /// The value, to be serialized under watch.
    pub(super) fn value<'a, T: ?Sized>(&'a self, value: &'a T) -> Watched<'a, T> {
        Watched {
            value,
            at: At {
                watch: self,
                depth: 0,
            },
        }
    }

    pub(super) fn refused(&self) -> Option<&'static str> {
        self.refused.get()
    }

    fn refuse<T, E: Error>(&self, reason: &'static str) -> Result<T, E> {
        self.refused.set(Some(reason));
        Err(E::custom(reason))
    }
}

/// A place in the value.
#[derive(Clone, Copy)]
struct At<'a> {
    watch: &'a Watch,
    depth: u8,
}

impl<'a> At<'a> {
    fn write(self) {
        let written = &self.watch.written;
        written.set(written.get().wrapping_add(1));
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEEPEST {
            return self.watch.refuse(TOO_DEEP);
        }
        let depth = self.depth + 1;
        Ok(Self { depth, ..self })
    }

    fn value<T: ?Sized>(self, value: &'a T) -> Watched<'a, T> {
        Watched { value, at: self }
    }

    /// After an element: whether it has taken a byte.
    fn count<E: Error>(self, before: u64) -> Result<(), E> {
        if self.watch.written.get() != before {
            return Ok(());
        }
        let empty = &self.watch.empty;
        empty.set(empty.get() + 1);
        if empty.get() > MOST_EMPTY {
            return self.watch.refuse(TOO_MANY_EMPTY);
        }
        Ok(())
    }
}

/// A value, or a part of one.
pub(super) struct Watched<'a, T: ?Sized> {
    value: &'a T,
    at: At<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Watched<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Watching {
            inner: serializer,
            at: self.at,
        })
    }
}

/// A serializer, or what it gives for the parts of a value.
pub(super) struct Watching<'a, S> {
    inner: S,
    at: At<'a>,
}

macro_rules! scalars {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.at.write();
            self.inner.$method(value)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Watching<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Watching<'a, S::SerializeSeq>;
    type SerializeTuple = Watching<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Watching<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Watching<'a, S::SerializeTupleVariant>;
    type SerializeMap = Watching<'a, S::SerializeMap>;
    type SerializeStruct = Watching<'a, S::SerializeStruct>;
    type SerializeStructVariant = Watching<'a, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.at.write();
        self.inner.collect_str(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.at.write();
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.at.write();
        self.inner
            .serialize_some(&self.at.deeper::<S::Error>()?.value(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.at.write();
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner
            .serialize_newtype_struct(name, &self.at.deeper::<S::Error>()?.value(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.at.write();
        let value = self.at.deeper::<S::Error>()?.value(value);
        self.inner
            .serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.at.write();
        let at = self.at.deeper()?;
        let inner = self.inner.serialize_seq(len)?;
        Ok(Watching { inner, at })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let at = self.at.deeper()?;
        let inner = self.inner.serialize_tuple(len)?;
        Ok(Watching { inner, at })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let at = self.at.deeper()?;
        let inner = self.inner.serialize_tuple_struct(name, len)?;
        Ok(Watching { inner, at })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.at.write();
        let at = self.at.deeper()?.deeper()?;
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(Watching { inner, at })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.at.write();
        let at = self.at.deeper()?;
        let inner = self.inner.serialize_map(len)?;
        Ok(Watching { inner, at })
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let at = self.at.deeper()?;
        let inner = self.inner.serialize_struct(name, len)?;
        Ok(Watching { inner, at })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.at.write();
        let at = self.at.deeper()?.deeper()?;
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, len)?;
        Ok(Watching { inner, at })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<C: SerializeSeq> SerializeSeq for Watching<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let before = self.at.watch.written.get();
        self.inner.serialize_element(&self.at.value(value))?;
        self.at.count(before)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: SerializeMap> SerializeMap for Watching<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        let before = self.at.watch.written.get();
        self.inner.serialize_key(&self.at.value(key))?;
        self.at.count(before)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&self.at.value(value))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// As many parts as the type says, so their number needs no watch.
macro_rules! parts {
    ($($trait:ident::$method:ident($($key:ident)?);)*) => {$(
        impl<C: $trait> $trait for Watching<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), C::Error> {
                self.inner.$method($($key,)? &self.at.value(value))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

parts! {
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(key);
    SerializeStructVariant::serialize_field(key);
}
