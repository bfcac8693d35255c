//! Chooses t=0: of each place of a series, the frame that is first in time.
//!
//! Frames of one series and kind (`kind`) with the same orientation and the same place in space are one slice, and
//! those whose time is later than its first are left out. A time is what a time tag says; the order of InstanceNumber
//! is one only where the header says that a place has several times, or where most places of a stack come again.
//! Frames whose place is not known are images of their own, unless their times are told apart and counted.

use std::cmp::Ordering;
use std::collections::HashMap;

use deepmcat_schemas::jobs::ingest::Frames;

use crate::headers::Headers;
use crate::series::{Chosen, Frame};

/// Positions within this distance, in mm, are the same place: as far as the rounding of numbers in headers goes, and
/// below the distance of slices of a microscope.
const SAME_PLACE: f64 = 1e-4;
/// The same where TriggerTime or another tag that is only about time tells frames apart, and where the slices of a
/// stack are ten times as far apart as this: positions may be rounded to hundredths.
const NEAR: f64 = 0.01;
/// Direction cosines within this are the same orientation.
const SAME_DIRECTION: f32 = 1e-3;

/// A frame that is left out: later than the first of its slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Left {
    /// Number of the input file.
    pub input: u32,
    /// Frame in the file.
    pub frame: u32,
}

/// Chooses frames; the second list has the frames left out. Both are sorted by input and frame.
pub(super) fn select(headers: &Headers, which: Frames) -> (Vec<Chosen>, Vec<Left>) {
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for group in headers.by_kind().chunk_by(|&a, &b| headers.kind(a) == headers.kind(b)) {
        let group: Vec<Frame> = group.iter().map(|&number| headers.frame(number)).collect();
        of_group(&group, which, &mut chosen, &mut left);
    }
    chosen.sort_unstable();
    left.sort_unstable();
    (chosen, left)
}

/// Chooses among the frames of one series and kind.
fn of_group(group: &[Frame], which: Frames, chosen: &mut Vec<Chosen>, left: &mut Vec<Left>) {
    for stack in by_orientation(group) {
        let slots = slots(stack);
        let again = slots.iter().filter(|slot| slot.len() > 1).count();
        // Most places of a stack, or the only one several times.
        let alone = slots.len() == 1 && slots[0].len() > 2;
        let comes_again = alone || (again > 1 && 2 * again > slots.len());
        for (slice, slot) in slots.into_iter().enumerate() {
            choose(slot, slice as u32, comes_again, which, chosen, left);
        }
    }
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

/// The slices of a stack in order along the normal, each with its frames.
fn slots(stack: Vec<&Frame>) -> Vec<Vec<&Frame>> {
    let normal = stack.first().and_then(|first| first.orientation).map(normal);
    let depth = |frame: &Frame| match (frame.position, normal) {
        (Some(at), Some(normal)) => at[0] * normal[0] + at[1] * normal[1] + at[2] * normal[2],
        _ => 0.0,
    };
    let (mut placed, unplaced): (Vec<&Frame>, Vec<&Frame>) =
        stack.into_iter().partition(|frame| frame.position.is_some() || frame.location.is_some());
    placed.sort_by(|a, b| depth(a).total_cmp(&depth(b)).then_with(|| in_space(a, b)).then_with(|| in_time(a, b)));
    let gaps = || placed.windows(2).map(|pair| depth(pair[1]) - depth(pair[0]));
    let apart = gaps().any(|gap| gap > 10.0 * NEAR) && gaps().all(|gap| gap <= NEAR || gap > 10.0 * NEAR);
    let mut slots: Vec<Vec<&Frame>> = Vec::new();
    // Slots by the cube of space that their first frame lies in.
    let mut cubes: HashMap<[i64; 3], Vec<usize>> = HashMap::new();
    for frame in placed {
        let [x, y, z] = frame.position.unwrap_or_default().map(|at| (at / NEAR).floor() as i64);
        let steps = || [-1, 0, 1].into_iter();
        let around = steps().flat_map(|i| steps().flat_map(move |j| steps().map(move |k| [x + i, y + j, z + k])));
        let nearby = around.filter_map(|cube| cubes.get(&cube)).flatten();
        match nearby.copied().filter(|&slot| same_place(slots[slot][0], frame, apart)).min() {
            Some(slot) => slots[slot].push(frame),
            None => {
                cubes.entry([x, y, z]).or_default().push(slots.len());
                slots.push(vec![frame]);
            }
        }
    }
    slots.extend(unplaced_slots(unplaced));
    slots
}

/// True where all three coordinates, and SliceLocation where both say it, are the same.
fn same_place(a: &Frame, b: &Frame, apart: bool) -> bool {
    let tolerance = if apart || a.times.order != b.times.order { NEAR } else { SAME_PLACE };
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance;
    let position = match (a.position, b.position) {
        (Some(a), Some(b)) => a.iter().zip(b).all(|(&a, b)| near(a, b)),
        (a, b) => a.is_none() && b.is_none(),
    };
    position && a.location.zip(b.location).is_none_or(|(a, b)| near(a.into(), b.into()))
}

/// Slots of frames whose place is not known: a loop in one file, or files that time tags tell apart and count, is one
/// slice over time; anything else is an image by itself.
fn unplaced_slots(frames: Vec<&Frame>) -> Vec<Vec<&Frame>> {
    let (mut slots, mut single) = (Vec::new(), Vec::new());
    // Frames come ordered by input.
    for file in frames.chunk_by(|a, b| a.input == b.input) {
        match file {
            [one] => single.push(*one),
            several => slots.extend(over_time(several.to_vec(), true)),
        }
    }
    // More files than one place has times are several places.
    let counted = single.iter().all(|frame| frame.times.said as usize >= single.len());
    slots.extend(over_time(single, counted));
    slots
}

/// One slot where every frame may have, and has, a time of its own, else a slot for each.
fn over_time(mut frames: Vec<&Frame>, may: bool) -> Vec<Vec<&Frame>> {
    frames.sort_by(|a, b| in_time(a, b));
    if may && frames.len() > 1 && !frames.windows(2).any(|pair| pair[0].times.order == pair[1].times.order) {
        return vec![frames];
    }
    frames.into_iter().map(|frame| vec![frame]).collect()
}

/// The normal of a slice: row direction x column direction.
fn normal(orientation: [f32; 6]) -> [f64; 3] {
    let [a, b, c, x, y, z] = orientation.map(f64::from);
    [b * z - c * y, c * x - a * z, a * y - b * x]
}

/// SliceLocation, then the coordinates: the order of slices that the normal does not tell apart.
fn in_space(a: &Frame, b: &Frame) -> Ordering {
    let by = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
    let [of_a, of_b] = [a, b].map(|frame| [f64::from(frame.location.unwrap_or_default())]);
    let positions = || by(&a.position.unwrap_or_default(), &b.position.unwrap_or_default());
    by(&of_a, &of_b).or_else(positions).unwrap_or(Ordering::Equal)
}

/// The tags that are only about time.
fn by_tags(a: &Frame, b: &Frame) -> Ordering {
    let mut times = a.times.order.iter().zip(&b.times.order).map(|(a, b)| a.total_cmp(b));
    times.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The clocks, which other images have too: they tell times apart only at the same place.
fn by_clocks(a: &Frame, b: &Frame) -> Ordering {
    let [of_a, of_b] = [a.times.clocks, b.times.clocks];
    of_a[0].total_cmp(&of_b[0]).then(of_a[1].total_cmp(&of_b[1]))
}

/// Time tags, then clocks, then InstanceNumber, then the order of the files.
fn in_time(a: &Frame, b: &Frame) -> Ordering {
    let times = by_tags(a, b).then_with(|| by_clocks(a, b)).then_with(|| a.instance.total_cmp(&b.instance));
    times.then_with(|| (a.input, a.frame).cmp(&(b.input, b.frame)))
}

/// Keeps the wanted frames of one slice: those of its first time, which are several where nothing tells them apart.
fn choose(
    mut slot: Vec<&Frame>,
    slice: u32,
    comes_again: bool,
    which: Frames,
    chosen: &mut Vec<Chosen>,
    left: &mut Vec<Left>,
) {
    slot.sort_by(|a, b| in_time(a, b));
    let Some(&first) = slot.first() else { return };
    let numbered = comes_again || slot.iter().all(|frame| frame.times.said as usize >= slot.len());
    let later = |frame: &Frame| {
        // At a SliceLocation alone there may be slices of several orientations.
        let placed = frame.position.is_some();
        by_tags(first, frame).is_ne()
            || (placed && by_clocks(first, frame).is_ne())
            || (placed && numbered && first.instance.total_cmp(&frame.instance).is_ne())
    };
    for &frame in &slot {
        let Frame { input, frame: number, .. } = *frame;
        if which == Frames::First && later(frame) {
            left.push(Left { input, frame: number });
        } else {
            chosen.push(Chosen { input, frame: number, slice });
        }
    }
}

#[cfg(test)]
mod tests;
