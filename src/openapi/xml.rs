//! Elements of XML, and their text.
//!
//! Owns how XML is written. Never knows what it means.

use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Element>,
    text: String,
}

/// An element without anything in it.
pub fn element(name: &'static str) -> Element {
    Element {
        name,
        ..Element::default()
    }
}

impl Element {
    /// The element with an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The element with elements inside.
    #[must_use]
    pub fn holding(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The element with text inside.
    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        // Most control characters do not exist in XML, not even escaped.
        let is_fine = |character: &char| !character.is_control() || "\n\t".contains(*character);
        self.text = text
            .chars()
            .filter(is_fine)
            .filter(|character| !matches!(character, '\u{fffe}' | '\u{ffff}'))
            .collect();
        self
    }

    /// The whole document.
    pub fn document(&self) -> io::Result<String> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        self.write(&mut writer)?;
        let text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
        Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n"))
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let start = writer.create_element(self.name).with_attributes(attributes);
        if !self.text.is_empty() {
            start.write_text_content(BytesText::new(&self.text))?;
        } else if self.children.is_empty() {
            start.write_empty()?;
        } else {
            start.write_inner_content(|writer| {
                self.children.iter().try_for_each(|child| child.write(writer))
            })?;
        }
        Ok(())
    }
}
