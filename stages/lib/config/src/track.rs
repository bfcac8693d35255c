//! A track: the epochs of one network, one after the other.

use std::ops::Range;

use deepmcat_schemas::Epoch;

use crate::Run;

/// The epochs of one network of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Which network, from 0.
    pub number: usize,
    /// Its epochs.
    pub epochs: Range<u32>,
    /// Whether it takes its pseudo-labels from others, the same at all its epochs.
    pub taught: bool,
}

impl Run {
    /// The tracks of the run: parts of it that differ by one epoch at most.
    pub fn tracks(&self) -> impl Iterator<Item = Track> {
        let (epochs, networks, own) = (u64::from(self.epochs), u64::from(self.networks), self.own());
        let start = move |network: u64| u32::try_from(network * epochs / networks).unwrap_or(u32::MAX);
        (0..networks).map(move |network| {
            let number = network as usize;
            Track { number, epochs: start(network)..start(network + 1), taught: number >= own }
        })
    }

    /// The track of an epoch; of the pass after the last epoch the last one.
    #[must_use]
    pub fn track_of(&self, epoch: Epoch) -> Track {
        let epoch = epoch.0.min(self.epochs.saturating_sub(1));
        let all = Track { number: 0, epochs: 0..self.epochs, taught: false };
        self.tracks().find(|track| track.epochs.end > epoch).unwrap_or(all)
    }

    /// The epoch whose assignments those of an epoch are compared with, and aligned to: the last before it that its track
    /// trained on. None at the first of a track: cluster numbers of different networks do not compare.
    #[must_use]
    pub fn before(&self, epoch: Epoch) -> Option<Epoch> {
        let track = self.track_of(epoch);
        track.before(epoch).map(|before| track.labelled(before))
    }

    /// Whether an epoch has assignments of its own: all but those of a taught track after its first.
    #[must_use]
    pub fn assigns(&self, epoch: Epoch) -> bool {
        epoch.0 == self.epochs || (epoch.0 < self.epochs && self.track_of(epoch).labelled(epoch) == epoch)
    }

    /// How many networks, the first ones, find clusters of their own.
    #[must_use]
    pub fn own(&self) -> usize {
        self.networks.saturating_sub(self.taught) as usize
    }
}

impl Track {
    /// Its first epoch.
    #[must_use]
    pub fn first(&self) -> Epoch {
        Epoch(self.epochs.start)
    }

    /// Its last epoch.
    #[must_use]
    pub fn last(&self) -> Epoch {
        Epoch(self.epochs.end.saturating_sub(1))
    }

    /// The epoch before one, where it is the track's too.
    #[must_use]
    pub fn before(&self, epoch: Epoch) -> Option<Epoch> {
        (self.epochs.start < epoch.0).then(|| Epoch(epoch.0 - 1))
    }

    /// The epoch whose assignments it trains on at an epoch.
    #[must_use]
    pub fn labelled(&self, epoch: Epoch) -> Epoch {
        if self.taught { self.first() } else { epoch }
    }
}
