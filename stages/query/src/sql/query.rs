//! The text of a query: one question, in words that Polars takes.

use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::Error;

/// A query that is a question.
#[derive(Debug)]
pub(super) struct Query {
    /// Its text.
    pub(super) text: String,
    /// Its words: names of tables are among them.
    pub(super) words: Vec<String>,
}

impl Query {
    /// Reads a query. Polars' parser takes `cluster` in `SELECT image_id, cluster` for Hive's CLUSTER BY; in quotes it is a name.
    ///
    /// # Errors
    /// When it is no SQL, or asks for more than an answer: Polars knows DROP, DELETE and the like.
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        let mut tokens = Tokenizer::new(&GenericDialect, text).with_unescape(false).tokenize().map_err(|error| {
            let hint = "docs/guide/queries.md has examples".to_owned();
            Error::Query { reason: error.to_string(), hint }
        })?;
        let begins = tokens.iter().find(|token| !matches!(token, Token::Whitespace(_) | Token::LParen));
        match begins {
            Some(Token::Word(Word { keyword: Keyword::SELECT | Keyword::WITH | Keyword::FROM, .. })) => {}
            begins => return Err(Error::NotSelect { begins: begins.map_or_else(String::new, Token::to_string) }),
        }
        let mut words = Vec::new();
        for token in &mut tokens {
            let Token::Word(word) = token else { continue };
            if word.keyword == Keyword::CLUSTER {
                word.quote_style = Some('"');
            }
            words.push(word.value.clone());
        }
        Ok(Self { text: tokens.iter().map(Token::to_string).collect(), words })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_are_asked() {
        for query in ["SELECT 1", " with x AS (SELECT 1) SELECT * FROM x", "-- a\n/* b */ (select 1)", "FROM labels"] {
            assert_eq!(Query::new(query).unwrap().text, query);
        }
        for query in ["DROP TABLE labels", "DELETE FROM labels", "/* SELECT */ TRUNCATE x", "", "--", "selecting", "3"]
        {
            assert!(matches!(Query::new(query), Err(Error::NotSelect { .. })), "{query}");
        }
    }

    #[test]
    fn the_column_of_clusters_is_a_name() {
        let query = "SELECT a.cluster, 'a cluster''s', \"x\"\"y\" -- cluster\nFROM assignments";
        let found = Query::new(query).unwrap();
        assert_eq!(found.text, query.replacen("cluster", "\"cluster\"", 1));
        assert!(found.words.contains(&"assignments".to_owned()));
    }
}
