//! The heart beat: how far the ventricle has shrunk and how fast blood flows at a time frame.

/// Share of the cycle that the frames cover. Cine with a prospective trigger misses its end, so
/// the last frame is not end-diastole again: t=0 is the only frame of its kind.
pub const COVERED: f32 = 0.9;

/// Moment of end-systole, as a share of the cycle.
const END_SYSTOLE: f32 = 0.35;
/// Moment at which early filling ends, as a share of the cycle.
const FILLED: f32 = 0.72;
/// Contraction that early filling leaves, until the atria pump in the rest.
const BEFORE_ATRIA: f32 = 0.3;

/// State of the heart at one time frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// 0 at end-diastole, 1 at end-systole.
    pub contraction: f32,
    /// Flow in the great vessels relative to that of t=0; a little negative when the valve shuts.
    pub flow: f32,
    /// Share of the cycle gone by, in [0, 1).
    pub phase: f32,
}

impl Beat {
    /// End-diastole, which every series starts with.
    pub const END_DIASTOLE: Self = Self { contraction: 0.0, flow: 1.0, phase: 0.0 };

    /// The state at frame `frame` of `frames`.
    #[must_use]
    pub fn at(frame: u32, frames: u32) -> Self {
        let phase = COVERED * frame as f32 / frames.max(1) as f32;
        Self { contraction: contraction(phase), flow: flow(phase), phase }
    }
}

/// A smooth step from 0 at `x = 0` to 1 at `x = 1`.
fn ease(x: f32) -> f32 {
    0.5 - 0.5 * (std::f32::consts::PI * x.clamp(0.0, 1.0)).cos()
}

fn contraction(phase: f32) -> f32 {
    if phase < END_SYSTOLE {
        ease(phase / END_SYSTOLE)
    } else {
        let filling = (phase - END_SYSTOLE) / (FILLED - END_SYSTOLE);
        1.0 - (1.0 - BEFORE_ATRIA) * ease(filling)
    }
}

fn flow(phase: f32) -> f32 {
    const PEAK: f32 = 0.11;
    const VALVE_SHUTS: f32 = 0.36;
    if phase < PEAK {
        1.0 + 0.15 * ease(phase / PEAK)
    } else {
        // falls to a short backflow at valve closure, then rests near zero
        let falling = 1.15 - 1.25 * ease((phase - PEAK) / (VALVE_SHUTS - PEAK));
        falling + 0.1 * ease((phase - VALVE_SHUTS) / 0.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_frame_is_end_diastole() {
        assert_eq!(Beat::at(0, 50), Beat::END_DIASTOLE);
        assert_eq!(Beat::at(0, 1), Beat::END_DIASTOLE);
    }

    #[test]
    fn late_frames_do_not_come_back_to_end_diastole() {
        for frame in 5..50 {
            let beat = Beat::at(frame, 50);
            assert!(beat.contraction > 0.1, "frame {frame}: {beat:?}");
            assert!(beat.contraction <= 1.0 && (-0.2..=1.2).contains(&beat.flow));
        }
    }
}
