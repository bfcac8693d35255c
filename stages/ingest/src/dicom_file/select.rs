//! Chooses t=0: of each slice position of a series, the frame that is first in time.
//!
//! Frames of one series and kind (size, ImageType, echo, b-value) with the same orientation and the same place along
//! the normal are one slice over time. They are ordered by TriggerTime, then temporal position, then InstanceNumber.
//! Frames whose place is unknown are images of their own, unless a time tag tells them apart.

use std::cmp::Ordering;

use deepmcat_common::Frames;

use super::{Frame, Position};
use crate::reject::Reason;

/// Positions within this distance, in mm, are the same slice.
const SAME_PLACE: f64 = 0.01;
/// Direction cosines within this are the same orientation.
const SAME_DIRECTION: f32 = 1e-3;

/// A frame that becomes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Chosen {
    /// Number of the input file.
    pub input: u32,
    /// Frame in the file.
    pub frame: u32,
    /// Slice in the series, from 0.
    pub slice: u32,
}

/// A frame that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Left {
    /// Number of the input file.
    pub input: u32,
    /// Frame in the file.
    pub frame: u32,
    /// Slice in the series, from 0.
    pub slice: u32,
    /// Not t=0, or a copy.
    pub reason: Reason,
    /// The file that it is a copy of: the copy stands in where that one turns out to be damaged.
    pub copy_of: Option<u32>,
}

/// Chooses frames; the second list has the frames left out. Both are sorted by input and frame.
pub(crate) fn select(mut frames: Vec<Frame>, which: Frames) -> (Vec<Chosen>, Vec<Left>) {
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    frames.sort_unstable_by_key(|frame| (frame.series, frame.kind, frame.input, frame.frame));
    for group in frames.chunk_by(|a, b| (a.series, a.kind) == (b.series, b.kind)) {
        for stack in by_orientation(group) {
            for (slice, slot) in slots(stack).into_iter().enumerate() {
                choose(slot, slice as u32, which, &mut chosen, &mut left);
            }
        }
    }
    chosen.sort_unstable();
    left.sort_unstable();
    (chosen, left)
}

/// Splits a group by orientation, with a tolerance for rounding.
fn by_orientation(group: &[Frame]) -> Vec<Vec<&Frame>> {
    let mut stacks: Vec<Vec<&Frame>> = Vec::new();
    let same = |a: &Frame, b: &Frame| match (a.orientation, b.orientation) {
        (Some(a), Some(b)) => a.iter().zip(b).all(|(a, b)| (a - b).abs() <= SAME_DIRECTION),
        (a, b) => a.is_none() && b.is_none(),
    };
    for frame in group {
        match stacks.iter_mut().find(|stack| stack.first().is_some_and(|first| same(first, frame))) {
            Some(stack) => stack.push(frame),
            None => stacks.push(vec![frame]),
        }
    }
    stacks
}

/// The slices of a stack in order along the normal, each with its frames in time.
fn slots(stack: Vec<&Frame>) -> Vec<Vec<&Frame>> {
    let normal = stack.first().and_then(|first| first.orientation).map(normal);
    let place = |frame: &Frame| match (frame.position, normal) {
        (Position::Patient(at), Some(normal)) => Some(at[0] * normal[0] + at[1] * normal[1] + at[2] * normal[2]),
        (Position::Location(at), _) => Some(at),
        _ => None,
    };
    let (mut placed, mut unplaced) = (Vec::new(), Vec::new());
    for frame in stack {
        match place(frame) {
            Some(place) => placed.push((place, frame)),
            None => unplaced.push(frame),
        }
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| in_time(a.1, b.1)));
    let mut slots: Vec<Vec<&Frame>> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for (place, frame) in placed {
        match slots.last_mut() {
            Some(slot) if place - last <= SAME_PLACE => slot.push(frame),
            _ => slots.push(vec![frame]),
        }
        last = place;
    }
    slots.extend(unplaced_slots(unplaced));
    slots
}

/// Slots of frames whose place is not known: a loop in one file, or single frames that time tags tell apart, is one
/// slice over time; anything else is an image by itself.
fn unplaced_slots(frames: Vec<&Frame>) -> Vec<Vec<&Frame>> {
    let (mut slots, mut single) = (Vec::new(), Vec::new());
    // Frames come ordered by input.
    for file in frames.chunk_by(|a, b| a.input == b.input) {
        match file {
            [one] => single.push(*one),
            several => slots.extend(over_time(several.to_vec())),
        }
    }
    slots.extend(over_time(single));
    slots
}

/// One slot where every frame has a time of its own, else a slot for each.
fn over_time(mut frames: Vec<&Frame>) -> Vec<Vec<&Frame>> {
    frames.sort_by(|a, b| in_time(a, b));
    let same_time = |pair: &[&Frame]| (pair[0].trigger, pair[0].temporal) == (pair[1].trigger, pair[1].temporal);
    if frames.len() > 1 && !frames.windows(2).any(same_time) {
        return vec![frames];
    }
    frames.into_iter().map(|frame| vec![frame]).collect()
}

/// The normal of a slice: row direction x column direction.
fn normal(orientation: [f32; 6]) -> [f64; 3] {
    let [a, b, c, x, y, z] = orientation.map(f64::from);
    [b * z - c * y, c * x - a * z, a * y - b * x]
}

/// TriggerTime, then temporal position, then InstanceNumber, then the order of the files.
fn in_time(a: &Frame, b: &Frame) -> Ordering {
    let times = a.trigger.total_cmp(&b.trigger).then(a.temporal.total_cmp(&b.temporal));
    times.then(a.instance.total_cmp(&b.instance)).then_with(|| (a.input, a.frame).cmp(&(b.input, b.frame)))
}

/// Keeps the wanted frames of one slice.
fn choose(mut slot: Vec<&Frame>, slice: u32, which: Frames, chosen: &mut Vec<Chosen>, left: &mut Vec<Left>) {
    slot.sort_by(|a, b| in_time(a, b));
    let copy = |a: &Frame, b: &Frame| {
        a.object != 0
            && (a.object, a.frame) == (b.object, b.frame)
            && a.input != b.input
            && (a.trigger, a.temporal, a.instance) == (b.trigger, b.temporal, b.instance)
    };
    let mut kept: Vec<&Frame> = Vec::new();
    for frame in slot {
        let mut same_instance = kept.iter().rev().take_while(|other| other.instance == frame.instance);
        let original = same_instance.find(|other| copy(other, frame));
        let mut leave = |reason, copy_of| {
            left.push(Left { input: frame.input, frame: frame.frame, slice, reason, copy_of });
        };
        if let Some(original) = original {
            leave(Reason::Duplicate, Some(original.input));
            continue;
        }
        if which == Frames::First && !kept.is_empty() {
            leave(Reason::NotT0, None);
        } else {
            chosen.push(Chosen { input: frame.input, frame: frame.frame, slice });
        }
        kept.push(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIAL: [f32; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

    fn frame(input: u32, z: f64, trigger: f64) -> Frame {
        Frame {
            input,
            frame: 0,
            series: 1,
            kind: 1,
            object: u64::from(input) + 100,
            orientation: Some(AXIAL),
            position: Position::Patient([3.0, 4.0, z]),
            trigger,
            temporal: f64::INFINITY,
            instance: f64::from(1000 - input),
        }
    }

    fn inputs(chosen: &[Chosen]) -> Vec<(u32, u32)> {
        chosen.iter().map(|chosen| (chosen.input, chosen.slice)).collect()
    }

    fn reasons(left: &[Left]) -> Vec<(u32, Reason)> {
        left.iter().map(|left| (left.input, left.reason)).collect()
    }

    #[test]
    fn the_smallest_trigger_time_of_each_position_is_chosen() {
        // Two positions, given from the head down, with a position's digits jittering.
        let frames = vec![
            frame(0, 10.004, 30.0),
            frame(1, 10.0, 0.0),
            frame(2, 9.998, 60.0),
            frame(3, 2.0, 5.0),
            frame(4, 2.0, 3.0),
        ];
        let (chosen, left) = select(frames.clone(), Frames::First);
        assert_eq!(inputs(&chosen), [(1, 1), (4, 0)]);
        assert_eq!(reasons(&left), [(0, Reason::NotT0), (2, Reason::NotT0), (3, Reason::NotT0)]);
        let (chosen, left) = select(frames, Frames::All);
        assert_eq!((chosen.len(), left.len()), (5, 0));
    }

    #[test]
    fn without_trigger_time_temporal_position_and_instance_number_decide() {
        let mut frames = vec![frame(0, 1.0, f64::INFINITY), frame(1, 1.0, f64::INFINITY)];
        assert_eq!(inputs(&select(frames.clone(), Frames::First).0), [(1, 0)]);
        frames[0].temporal = 1.0;
        frames[1].temporal = 2.0;
        assert_eq!(inputs(&select(frames, Frames::First).0), [(0, 0)]);
    }

    #[test]
    fn other_kinds_orientations_and_series_are_other_images() {
        let mut frames = vec![frame(0, 1.0, 1.0); 4];
        for (input, frame) in frames.iter_mut().enumerate() {
            (frame.input, frame.object) = (input as u32, input as u64 + 1);
        }
        frames[1].kind = 2;
        frames[2].series = 2;
        frames[3].orientation = Some([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]);
        assert_eq!(select(frames, Frames::First).0.len(), 4);
    }

    #[test]
    fn images_without_a_place_stay_unless_time_tells_them_apart() {
        let nowhere = |input, trigger| Frame { position: Position::Unknown, ..frame(input, 0.0, trigger) };
        let stills = vec![nowhere(0, f64::INFINITY), nowhere(1, f64::INFINITY)];
        assert_eq!(select(stills, Frames::First).0.len(), 2);
        assert_eq!(inputs(&select(vec![nowhere(0, 2.0), nowhere(1, 1.0)], Frames::First).0), [(1, 0)]);
    }

    #[test]
    fn a_copy_of_a_file_is_a_duplicate_whatever_frames_are_wanted() {
        let mut copy = frame(7, 1.0, 0.0);
        (copy.object, copy.instance) = (100, 1000.0);
        for which in [Frames::First, Frames::All] {
            let (chosen, left) = select(vec![copy.clone(), frame(0, 1.0, 0.0)], which);
            assert_eq!(inputs(&chosen), [(0, 0)]);
            assert_eq!(reasons(&left), [(7, Reason::Duplicate)]);
            assert_eq!(left[0].copy_of, Some(0));
        }
    }
}
