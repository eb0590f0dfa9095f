// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Writing JSON.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write};

/// A value.
pub enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(Cow<'static, str>, Json)>),
}

impl Json {
    /// An object of members whose names are known.
    pub fn object<const N: usize>(members: [(&'static str, Json); N]) -> Self {
        Self::Object(members.map(|(name, value)| (name.into(), value)).into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => quote(f, text),
            Self::List(values) => {
                f.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    separate(f, index)?;
                    value.fmt(f)?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    separate(f, index)?;
                    quote(f, name)?;
                    write!(f, ": {value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn separate(f: &mut Formatter<'_>, index: usize) -> fmt::Result {
    f.write_str(if index > 0 { ", " } else { "" })
}

fn quote(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn nested() {
        let value = Json::object([
            ("a", Json::from(vec![1u32, 2])),
            ("b", Json::from(None::<bool>)),
            ("c", Json::List(vec![])),
        ]);
        assert_eq!(r#"{"a": [1, 2], "b": null, "c": []}"#, value.to_string());
    }

    #[test]
    fn what_a_process_may_call_itself() {
        assert_eq!(r#""a\"b\\c\u000ad""#, Json::from("a\"b\\c\nd").to_string());
    }
}
