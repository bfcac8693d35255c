//! Where a table came from: kept in the footer of every table.

use std::collections::HashMap;

/// Who wrote a table, with which configuration. Deterministic: no time, no host, no path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The stage that wrote the table, for example `cluster`.
    pub stage: String,
    /// The version of that stage.
    pub stage_version: String,
    /// Hash of the resolved configuration.
    pub config_hash: String,
    /// The run's seed.
    pub seed: u64,
}

const STAGE: &str = "deepmcat.stage";
const STAGE_VERSION: &str = "deepmcat.stage_version";
const CONFIG_HASH: &str = "deepmcat.config_hash";
const SEED: &str = "deepmcat.seed";
pub(crate) const TABLE: &str = "deepmcat.table";
pub(crate) const SCHEMA_VERSION: &str = "deepmcat.schema_version";

impl Stamp {
    /// The stamp as the key-value pairs of a table's footer, with the table's own name and version.
    #[must_use]
    pub fn metadata(&self, table: &str, version: u32) -> HashMap<String, String> {
        HashMap::from([
            (TABLE.to_owned(), table.to_owned()),
            (SCHEMA_VERSION.to_owned(), version.to_string()),
            (STAGE.to_owned(), self.stage.clone()),
            (STAGE_VERSION.to_owned(), self.stage_version.clone()),
            (CONFIG_HASH.to_owned(), self.config_hash.clone()),
            (SEED.to_owned(), self.seed.to_string()),
        ])
    }

    /// Reads a stamp back from footer metadata; what is missing stays empty.
    #[must_use]
    pub fn from_metadata(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let text = |key: &str| lookup(key).unwrap_or_default();
        Self {
            stage: text(STAGE),
            stage_version: text(STAGE_VERSION),
            config_hash: text(CONFIG_HASH),
            seed: text(SEED).parse().unwrap_or_default(),
        }
    }
}
