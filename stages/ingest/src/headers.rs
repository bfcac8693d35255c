//! The headers of an archive in columns: some hundred bytes for a file of one frame, since an archive has millions.

use crate::hash::mix;
use crate::series::{Acquisition, Frame, Header, Said, Times};

/// A file of a series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    /// Number of the input.
    pub input: u32,
    /// As of a [`Header`].
    pub object: u64,
    /// Number of its class; none where it has none.
    pub class: Option<u32>,
    /// Left out, with a reject.
    pub out: bool,
    alone: bool,
    said: u32,
    first: u32,
    frames: u32,
}

/// What many frames have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sort {
    kind: u64,
    orientation: Option<[u32; 6]>,
    said: u32,
}

/// A frame without that; what is not said is no number.
#[derive(Debug, Clone, Copy)]
struct Rest {
    file: u32,
    frame: u32,
    sort: u32,
    location: f32,
    order: [f32; 5],
    position: [f64; 3],
    clocks: [f64; 2],
    instance: f64,
}

/// All headers.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    /// By input.
    pub files: Vec<File>,
    frames: Vec<Rest>,
    sorts: Vec<Sort>,
    said: Vec<Said>,
    /// Of what is said the series: its hash, and whether the UID does not tell it.
    series: Vec<(u64, bool)>,
    /// Of what is said the latest acquisition.
    acquired: Vec<(u32, Acquisition)>,
}

/// The number of a value among the last few of many; it is added where it is not there. Files follow each other in the
/// order of their names, and those of one folder mostly say the same.
fn recent<T: PartialEq>(values: &mut Vec<T>, value: T) -> u32 {
    const FEW: usize = 16;
    let from = values.len().saturating_sub(FEW);
    let found = values[from..].iter().rposition(|known| *known == value).map(|at| from + at);
    if found.is_none() {
        values.push(value);
    }
    found.unwrap_or(values.len() - 1) as u32
}

impl Headers {
    /// Adds the header of an input, after those before it.
    pub fn push(&mut self, input: u32, header: &Header, class: Option<u32>) {
        let said = recent(&mut self.said, header.said);
        if let Some(new) = header.acquisition {
            let same = |(of, known): &&mut (u32, Acquisition)| *of == said && known.what == new.what;
            match self.acquired.iter_mut().rev().take(16).find(same) {
                Some((_, known)) if new.order(known).is_gt() => *known = new,
                Some(_) => {}
                None => self.acquired.push((said, new)),
            }
        }
        let (file, first) = (self.files.len() as u32, self.frames.len() as u32);
        for frame in &header.frames {
            let orientation = frame.orientation.map(|cosines| cosines.map(f32::to_bits));
            let sort = recent(&mut self.sorts, Sort { kind: frame.kind, orientation, said: frame.times.said });
            self.frames.push(Rest {
                file,
                frame: frame.frame,
                sort,
                location: frame.location.unwrap_or(f32::NAN),
                order: frame.times.order,
                position: frame.position.unwrap_or([f64::NAN; 3]),
                clocks: frame.times.clocks,
                instance: frame.instance,
            });
        }
        let (alone, object, frames) = (header.alone, header.object, header.frames.len() as u32);
        self.files.push(File { input, object, class, out: false, alone, said, first, frames });
    }

    /// Those that are not left out.
    pub fn left(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| !file.out)
    }

    /// What a file says of its series.
    pub fn said(&self, file: &File) -> Said {
        self.said[file.said as usize]
    }

    /// The frames of a file.
    pub fn of(&self, file: &File) -> impl Iterator<Item = Frame> {
        (file.first..file.first + file.frames).map(|frame| self.frame(frame))
    }

    /// The first frame of a file.
    pub fn first(&self, file: &File) -> Frame {
        self.frame(file.first)
    }

    /// A frame by its place in the table.
    pub fn frame(&self, number: u32) -> Frame {
        let Rest { file, frame, sort, location, order, position, clocks, instance } = self.frames[number as usize];
        let (file, sort) = (&self.files[file as usize], self.sorts[sort as usize]);
        Frame {
            input: file.input,
            frame,
            series: self.series(file).0,
            kind: sort.kind,
            orientation: sort.orientation.map(|cosines| cosines.map(f32::from_bits)),
            position: Some(position).filter(|position| !position[0].is_nan()),
            location: Some(location).filter(|location| !location.is_nan()),
            times: Times { order, clocks, said: sort.said },
            instance,
        }
    }

    /// Gives every file its series, by what it says of it, with whether the UID does not tell it.
    pub fn group(&mut self, series: impl Fn(&Said) -> (u64, bool)) {
        self.series = self.said.iter().map(series).collect();
        for file in self.files.iter().filter(|file| file.alone) {
            for frame in &mut self.frames[file.first as usize..][..file.frames as usize] {
                let sort = self.sorts[frame.sort as usize];
                let kind = mix(&[sort.kind, file.input.into()]);
                frame.sort = recent(&mut self.sorts, Sort { kind, ..sort });
            }
        }
    }

    /// The series of a file, and whether its UID does not tell it.
    pub fn series(&self, file: &File) -> (u64, bool) {
        self.series.get(file.said as usize).copied().unwrap_or_default()
    }

    /// The latest acquisition of each thing that a series is of, with the series.
    pub fn acquired(&self) -> impl Iterator<Item = (Acquisition, u64)> {
        self.acquired.iter().map(|&(said, one)| {
            let ((series, unsure), said) = (self.series[said as usize], self.said[said as usize]);
            // Where the UIDs say nothing, what was acquired belongs to its folder.
            let what = if unsure { mix(&[one.what, said.folder]) } else { one.what };
            (Acquisition { what, ..one }, series)
        })
    }

    /// The frames of the files that are not left out, by series and kind, then in the order of the archive.
    pub fn by_kind(&self) -> Vec<u32> {
        let file = |number: u32| &self.files[self.frames[number as usize].file as usize];
        let mut numbers: Vec<u32> = (0..self.frames.len() as u32).filter(|&number| !file(number).out).collect();
        numbers.sort_by_key(|&number| self.kind(number));
        numbers
    }

    /// Series and kind of a frame.
    pub fn kind(&self, number: u32) -> (u64, u64) {
        let Rest { file, sort, .. } = self.frames[number as usize];
        (self.series(&self.files[file as usize]).0, self.sorts[sort as usize].kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let times = Times { order: [1.0, f32::INFINITY, 2.0, 3.0, 4.0], clocks: [5.0, f64::INFINITY], said: 6 };
        let orientation = Some([1.0, -0.0, 0.0, 0.0, 1.0, 0.0]);
        let one = Frame {
            input: 9,
            frame: 1,
            series: 0,
            kind: 7,
            orientation,
            position: Some([1.5, -0.0, 3.0]),
            location: None,
            times,
            instance: 8.0,
        };
        let two = Frame { frame: 2, orientation: None, position: None, location: Some(4.0), ..one.clone() };
        let said = Said { uid: Some(1), facts: 2, folder: 3, named: true };
        let frames = vec![one, two];
        let header =
            Header { frames: frames.clone(), said, alone: false, object: 5, description: 0, acquisition: None };
        let mut headers = Headers::default();
        headers.push(9, &header, None);
        let file = headers.files[0];
        let back: Vec<Frame> = headers.of(&file).collect();
        assert_eq!(format!("{back:?}"), format!("{frames:?}"));
        headers.group(|said| (said.facts, false));
        assert_eq!((headers.series(&file), headers.kind(1)), ((2, false), (2, 7)));
    }
}
