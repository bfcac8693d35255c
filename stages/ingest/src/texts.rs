//! Texts of which an archive has millions: one behind the other, or each different one once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Numbered texts in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds a text; they are numbered from 0.
    pub fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len());
    }

    /// The text of a number that was given out.
    pub fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.all[start..self.ends[number]]
    }
}

/// Values that many inputs have in common, each of them once.
#[derive(Debug)]
pub(crate) struct Terms<T> {
    numbers: HashMap<Arc<T>, u32>,
    terms: Vec<Arc<T>>,
}

impl<T> Default for Terms<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), terms: Vec::new() }
    }
}

impl<T: Eq + Hash> Terms<T> {
    /// The number of a value, the same for equal ones.
    pub fn number(&mut self, value: T) -> u32 {
        if let Some(&number) = self.numbers.get(&value) {
            return number;
        }
        let (number, term) = (self.terms.len() as u32, Arc::new(value));
        self.terms.push(Arc::clone(&term));
        self.numbers.insert(term, number);
        number
    }

    /// The one that equals a value.
    pub fn shared(&mut self, value: T) -> Arc<T> {
        let number = self.number(value);
        Arc::clone(&self.terms[number as usize])
    }

    /// The value of a number that was given out.
    pub fn get(&self, number: u32) -> &T {
        &self.terms[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_terms_come_back_by_their_numbers() {
        let (mut texts, mut terms) = (Texts::default(), Terms::default());
        for text in ["a", "", "bc"] {
            texts.push(text);
            terms.number(text.to_owned());
        }
        assert_eq!([0, 1, 2].map(|number| texts.get(number)), ["a", "", "bc"]);
        assert_eq!((terms.number(String::new()), terms.number("d".to_owned())), (1, 3));
        assert_eq!(terms.get(2), "bc");
    }
}
