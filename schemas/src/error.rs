//! What can be wrong with a table, as something a person can mend.

use std::path::PathBuf;

/// An error of reading or writing a table.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The file system refused; the source names the file.
    #[error("{context}")]
    Io {
        /// What was being done to which file.
        context: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder that has to be there is not; the source names it.
    #[error("a table or image file is missing\nhint: check the path, or run the stage that writes it first")]
    Missing(#[source] std::io::Error),
    /// The file is there but is not a table of the wanted container format.
    #[error("{}: not a readable {format} file\nhint: it is damaged or was not written by deepmcat; delete it and run the stage again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// `Parquet` or `Arrow IPC`.
        format: &'static str,
        /// What the reader said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A folder that should hold the parts of a table holds none.
    #[error("{}: holds no part of table `{table}` (part-N)\nhint: run the stage that writes it first", path.display())]
    NoParts {
        /// The folder.
        path: PathBuf,
        /// The table's name.
        table: &'static str,
    },
    /// A table of another kind or of another schema version.
    #[error("{}: expected table `{expected}`, found `{found}`\nhint: point the flag at a `{expected}` table, or rerun the stage that writes it with this version of deepmcat", path.display())]
    WrongTable {
        /// The file.
        path: PathBuf,
        /// Wanted, as `name v1`.
        expected: String,
        /// Found, as `name v1`.
        found: String,
    },
    /// A column that the schema asks for is absent.
    #[error("{}: column `{column}` is missing, expected {expected}\nhint: the file is not a `{table}` table of this version", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The table's name.
        table: &'static str,
        /// The column's name.
        column: String,
        /// Its Arrow type.
        expected: String,
    },
    /// A column has another type than the schema's.
    #[error("{}: column `{column}` is {found}, expected {expected}\nhint: the file is not a `{table}` table of this version", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The table's name.
        table: &'static str,
        /// The column's name.
        column: String,
        /// Wanted Arrow type.
        expected: String,
        /// Found Arrow type.
        found: String,
    },
    /// A column that may hold no nulls holds some.
    #[error("{}: column `{column}` holds {count} nulls and may hold none", path.display())]
    Nulls {
        /// The file.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// How many.
        count: usize,
    },
    /// Columns of unequal length, or a batch that Arrow refuses: a defect of the writing stage.
    #[error("{}: the rows of table `{table}` do not fit its schema: {reason}", path.display())]
    BadRows {
        /// The file.
        path: PathBuf,
        /// The table's name.
        table: &'static str,
        /// What Arrow said.
        reason: String,
    },
}

impl SchemaError {
    pub(crate) fn unreadable(
        path: &std::path::Path,
        format: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable { path: path.to_owned(), format, source: source.into() }
    }

    /// True for what rerunning cannot mend: a table that is missing or does not fit its schema.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }
}

impl From<std::io::Error> for SchemaError {
    fn from(source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Self::Missing(source);
        }
        // fs_err has already put the action and the path into the message.
        Self::Io { context: "a table or image file could not be read or written".to_owned(), source }
    }
}
