//! JSON as it stands in a text. Nothing is copied but strings with escapes: most of the work of a start is to look at
//! thousands of objects of which little is kept.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'a> {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Part<'a>>),
    /// An object, its members in the order of the text.
    Object(Vec<Member<'a>>),
}

/// Name and value.
pub type Member<'a> = (Cow<'a, str>, Part<'a>);

impl<'a> Part<'a> {
    /// A member of an object; of all else, null.
    pub fn get(&self, name: &str) -> &Part<'a> {
        self.find(name).unwrap_or(&Part::Null)
    }

    /// A member of an object, if it has it.
    pub fn find(&self, name: &str) -> Option<&Part<'a>> {
        let (_, value) = self.members().iter().find(|(found, _)| found == name)?;
        Some(value)
    }

    /// The members of an object; of all else, none.
    pub fn members(&self) -> &[Member<'a>] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; of all else, none.
    pub fn items(&self) -> &[Part<'a>] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// A string; of all else, an empty one.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// A copy that outlives the text, without some members of an object.
    pub fn without(&self, names: &[&str]) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(items) => items.iter().map(|item| item.without(&[])).collect(),
            Self::Object(members) => members
                .iter()
                .filter(|(name, _)| !names.contains(&name.as_ref()))
                .map(|(name, value)| (name.to_string(), value.without(&[])))
                .collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Part<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Part<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Part<'de>, E> {
        Ok(Part::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Part<'de>, E> {
        Ok(Part::Bool(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Part<'de>, E> {
        Ok(Part::Number(value.into()))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Part<'de>, E> {
        Ok(Part::Number(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Part<'de>, E> {
        Ok(Number::from_f64(value).map_or(Part::Null, Part::Number))
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Part<'de>, E> {
        Ok(Part::Text(text.into()))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Part<'de>, E> {
        Ok(Part::Text(text.to_owned().into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Part<'de>, A::Error> {
        let mut list = vec![];
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Part::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Part<'de>, A::Error> {
        let mut object = vec![];
        while let Some((Name(name), value)) = members.next_entry()? {
            object.push((name, value));
        }
        Ok(Part::Object(object))
    }
}

/// The name of a member: `Cow` itself would always copy.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(Reader)? {
            Part::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("a name is a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_no_escapes_is_borrowed() {
        let text = r#"{"a": "x", "k:{\"b\":1}": [1, -2, 0.5, true, null, "é\n"]}"#;
        let part: Part = serde_json::from_str(text).unwrap();
        assert!(matches!(part.get("a"), Part::Text(Cow::Borrowed("x"))));
        assert!(matches!(
            part.members(),
            [(Cow::Borrowed(_), _), (Cow::Owned(_), _)]
        ));
        assert_eq!(part.without(&[]), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(
            part.without(&["a"]),
            json!({"k:{\"b\":1}": [1, -2, 0.5, true, null, "é\n"]})
        );
    }

    #[test]
    fn a_value_gives_the_same_as_its_text() {
        let value = json!({"a": {"b": [{}, [], "", 18_446_744_073_709_551_615_u64]}});
        let text = value.to_string();
        assert_eq!(
            Part::deserialize(&value).unwrap(),
            serde_json::from_str(&text).unwrap()
        );
    }
}
