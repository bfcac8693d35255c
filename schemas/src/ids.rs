//! Newtypes for the three numbers that every table is about, so that they cannot be mixed up.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// Dense number of an image in one dataset: 0 .. images-1, in the manifest's order.
    ImageId
);
id!(
    /// Number of a pass over the data set, from 0. The final pass, on clean images, is epoch `run.epochs`.
    Epoch
);
id!(
    /// Number of a cluster, 0 .. k-1, aligned to the epoch before by maximum overlap.
    ClusterId
);
