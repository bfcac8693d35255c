//! Which frames are later than others, and which are only other.

use super::*;
use crate::series::Times;

const AXIAL: [f32; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
const NO_TIMES: Times = Times { order: [f32::INFINITY; 5], clocks: [f64::INFINITY; 2], said: 0 };

/// A frame at a height with a TriggerTime; the later its file, the smaller its InstanceNumber.
fn frame(input: u32, z: f64, trigger: f32) -> Frame {
    let mut times = NO_TIMES;
    times.order[0] = trigger;
    Frame {
        input,
        frame: 0,
        series: 1,
        kind: 1,
        orientation: Some(AXIAL),
        position: Some([3.0, 4.0, z]),
        location: None,
        times,
        instance: f64::from(1000 - input),
    }
}

/// Chooses among frames of any series and kinds.
fn select(mut frames: Vec<Frame>, which: Frames) -> (Vec<Chosen>, Vec<Left>) {
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    frames.sort_by_key(|frame| (frame.series, frame.kind, frame.input, frame.frame));
    for group in frames.chunk_by(|a, b| (a.series, a.kind) == (b.series, b.kind)) {
        of_group(group, which, &mut chosen, &mut left);
    }
    chosen.sort_unstable();
    left.sort_unstable();
    (chosen, left)
}

/// The same without a TriggerTime.
fn still(input: u32, z: f64) -> Frame {
    frame(input, z, f32::INFINITY)
}

fn first(frames: Vec<Frame>) -> Vec<(u32, u32)> {
    select(frames, Frames::First).0.iter().map(|chosen| (chosen.input, chosen.slice)).collect()
}

/// How many images `change` leaves of a stack of 3 places at 4 times each.
fn images(change: impl Fn(&mut Frame, u32)) -> usize {
    let mut frames: Vec<Frame> = (0..12).map(|input| still(input, f64::from(input / 4))).collect();
    for (input, frame) in frames.iter_mut().enumerate() {
        change(frame, input as u32);
    }
    first(frames).len()
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
    assert_eq!(chosen.iter().map(|chosen| (chosen.input, chosen.slice)).collect::<Vec<_>>(), [(1, 1), (4, 0)]);
    assert_eq!(left.iter().map(|left| left.input).collect::<Vec<_>>(), [0, 2, 3]);
    let (chosen, left) = select(frames, Frames::All);
    assert_eq!((chosen.len(), left.len()), (5, 0));
}

#[test]
fn every_tag_that_is_about_time_tells_times_apart() {
    for tag in 0..4 {
        assert_eq!(images(|frame, input| frame.times.order[tag] = (input % 4) as f32), 3);
    }
    for clock in 0..2 {
        assert_eq!(images(|frame, input| frame.times.clocks[clock] = f64::from(input % 4)), 3);
    }
    // A single place, which InstanceNumber alone would leave whole.
    assert_eq!(first(vec![frame(0, 1.0, 0.0), frame(1, 1.0, 30.0)]), [(0, 0)]);
}

#[test]
fn instance_number_is_a_time_where_places_come_again_or_times_are_counted() {
    assert_eq!(images(|_, _| ()), 3);
    // Two stacks that overlap at one place; one place alone, for which all positions of a bad converter pass.
    assert_eq!(first(vec![still(0, 0.0), still(1, 1.0), still(2, 2.0), still(3, 2.0), still(4, 3.0)]).len(), 5);
    assert_eq!(first(vec![still(0, 1.0), still(1, 1.0)]).len(), 2);
    let counted = |said| {
        let mut frames = vec![still(0, 1.0), still(1, 1.0)];
        frames.iter_mut().for_each(|frame| frame.times.said = said);
        first(frames)
    };
    assert_eq!((counted(1).len(), counted(2)), (2, vec![(1, 0)]));
    // Equal InstanceNumbers: other patients under one UID.
    assert_eq!(images(|frame, _| frame.instance = 1.0), 12);
}

#[test]
fn another_place_kind_orientation_or_series_is_another_image() {
    assert_eq!(images(|frame, input| frame.kind = u64::from(input % 4)), 12);
    assert_eq!(images(|frame, input| frame.series = u64::from(input % 4)), 12);
    assert_eq!(images(|frame, input| frame.location = Some((input % 4) as f32)), 12);
    // Stations side by side: the same depth.
    assert_eq!(images(|frame, input| frame.position = Some([f64::from(input % 4), 0.0, f64::from(input / 4)])), 12);
    let turned = |frame: &mut Frame, input: u32| {
        if input % 4 < 2 {
            frame.orientation = Some([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]);
        }
    };
    assert_eq!(images(turned), 6);
}

#[test]
fn slices_of_a_microscope_are_not_one() {
    let stack = |step: f64| first((0..40).map(|input| still(input, f64::from(input) * step)).collect()).len();
    assert_eq!([0.01, 0.005, 0.0005].map(stack), [40; 3]);
    // Slices that are far apart may have positions rounded to hundredths.
    assert_eq!(
        images(|frame, input| frame.position = Some([0.0, 0.0, f64::from(input / 4) + f64::from(input % 4) * 2e-3])),
        3
    );
    // Compared with the first of a slot, jitter does not chain slots together.
    let drift: Vec<Frame> = (0..8).map(|input| frame(input, f64::from(input) * 0.008, input as f32)).collect();
    assert_eq!(first(drift).len(), 4);
}

#[test]
fn images_without_a_place_stay_unless_their_times_are_told_and_counted() {
    let nowhere = |input, trigger, said| {
        let mut frame = Frame { position: None, ..frame(input, 0.0, trigger) };
        (frame.times.said, frame.times.clocks) = (said, [f64::from(input); 2]);
        frame
    };
    let pair = |a, b, said| first(vec![nowhere(0, a, said), nowhere(1, b, said)]);
    assert_eq!(pair(f32::INFINITY, f32::INFINITY, 2).len(), 2);
    assert_eq!(pair(2.0, 1.0, 0).len(), 2);
    assert_eq!(pair(2.0, 1.0, 2), [(1, 0)]);
    // SliceLocation alone: a localiser's three planes may have the same.
    let planes = |input: u32| Frame { position: None, location: Some(0.0), ..still(input, 0.0) };
    assert_eq!(first((0..3).map(planes).collect()).len(), 3);
}

#[test]
fn frames_of_one_file_follow_its_time_tags() {
    let of_file = |frame_number: u32, temporal: f32| {
        let mut frame = Frame { frame: frame_number, position: None, ..still(0, 0.0) };
        frame.times.order[1] = temporal;
        frame
    };
    let (chosen, left) = select((0..5).map(|frame| of_file(frame, frame as f32)).collect(), Frames::First);
    assert_eq!((chosen.len(), left.len(), left[0].frame), (1, 4, 1));
    assert_eq!(first((0..5).map(|frame| of_file(frame, f32::INFINITY)).collect()).len(), 5);
}
