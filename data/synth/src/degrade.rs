//! What the scanner does to the signal: point spread, texture, coil shading, bands, ghosts, noise,
//! and the grey scale it stores.

use crate::class::Class;
use crate::image::Image;
use crate::random::Draw;

/// Side in pixels at which widths in pixels are given; other sizes scale them, so that an image of
/// twice the size shows the same scan in finer pixels.
const REFERENCE_SIZE: f32 = 96.0;

/// Widest point spread of a tagged image, in pixels.
const TAG_BLUR: f32 = 0.65;

/// How one slice is degraded, drawn once for all of its frames.
#[derive(Debug, Clone)]
pub enum Degrade {
    /// Magnitude images: everything but phase and maps.
    Magnitude(Box<Magnitude>),
    /// Velocity images: noise where there is no signal.
    Phase(Phase),
    /// T1 map and fit parameters: computed pixel by pixel, so noise where there is no signal.
    Map(Map),
}

/// Parameters of a magnitude image.
#[derive(Debug, Clone)]
pub struct Magnitude {
    blur: f32,
    texture: Image,
    coil: Coil,
    band: Option<Band>,
    ghost: Option<(f32, usize)>,
    noise: f32,
    /// Percentile that becomes white.
    white: f32,
    gamma: f32,
}

/// Coil shading exp(-fall r^2 + slope . (x, y)), coordinates in [-1, 1].
#[derive(Debug, Clone)]
struct Coil {
    fall: f32,
    centre: [f32; 2],
    slope: [f32; 2],
}

/// A dark bSSFP band along a line.
#[derive(Debug, Clone)]
struct Band {
    direction: [f32; 2],
    offset: f32,
}

/// Parameters of a phase image.
#[derive(Debug, Clone)]
pub struct Phase {
    blur: f32,
    /// Background phase: slopes over the half field of view.
    slope: [f32; 2],
    /// Noise within tissue (standard deviation).
    noise: f32,
    /// Half width of the uniform noise where there is no signal.
    void: f32,
}

/// Parameters of a map.
#[derive(Debug, Clone)]
pub struct Map {
    blur: f32,
    edges: bool,
}

impl Degrade {
    /// Draws the degradation of one slice; `hardness` scales shading and noise.
    pub fn draw(r: &mut impl Draw, class: Class, size: usize, hardness: f32) -> Self {
        let pixel = size as f32 / REFERENCE_SIZE;
        let mut blur = r.uniform(0.45, 0.9) * r.uniform(0.8, 1.3) * pixel;
        if class == Class::CineTag {
            // tag lines are three pixels apart: a scan that blurs them away would be no tagging
            blur = blur.min(TAG_BLUR * pixel);
        }
        match class {
            Class::FlowPha => Self::Phase(Phase {
                blur,
                slope: [r.normal(0.0, 0.02), r.normal(0.0, 0.02)],
                noise: r.uniform(0.012, 0.05) * hardness,
                void: r.uniform(0.2, 0.5),
            }),
            Class::ShmolliT1map | Class::ShmolliFitpar => Self::Map(Map { blur, edges: class == Class::ShmolliFitpar }),
            _ => Self::Magnitude(Box::new(Magnitude::draw(r, class, size, blur, hardness))),
        }
    }

    /// The degraded image in arbitrary units. `void` marks the pixels that give no signal;
    /// `r` is the frame's own noise.
    pub fn apply(&self, r: &mut impl Draw, signal: &Image, void: &[bool]) -> Image {
        match self {
            Self::Magnitude(magnitude) => magnitude.apply(r, signal),
            Self::Phase(phase) => phase.apply(r, signal, void),
            Self::Map(map) => map.apply(r, signal, void),
        }
    }

    /// The value that is stored as white: taken from the first frame, so that a series keeps one
    /// grey scale over time. Phase and maps have a fixed scale.
    #[must_use]
    pub fn white_point(&self, first: &Image) -> f32 {
        match self {
            Self::Magnitude(magnitude) => first.percentile(magnitude.white).max(1e-6),
            Self::Phase(_) | Self::Map(_) => 1.0,
        }
    }

    /// Scales to the stored range [0, 1].
    pub fn store(&self, image: &mut Image, white: f32) {
        let gamma = match self {
            Self::Magnitude(magnitude) => magnitude.gamma,
            Self::Phase(_) | Self::Map(_) => 1.0,
        };
        for pixel in &mut image.pixels {
            *pixel = (*pixel / white).clamp(0.0, 1.0).powf(gamma);
        }
    }
}

impl Magnitude {
    fn draw(r: &mut impl Draw, class: Class, size: usize, blur: f32, hardness: f32) -> Self {
        let pixel = size as f32 / REFERENCE_SIZE;
        let fine = Image::texture(r, size, 2.0 * pixel);
        let mut texture = Image::texture(r, size, 7.0 * pixel);
        for (coarse, fine) in texture.pixels.iter_mut().zip(&fine.pixels) {
            *coarse = (1.0 + 0.05 * fine + 0.05 * *coarse).max(0.0);
        }
        let coil = Coil {
            fall: r.uniform(0.15, 0.75) * hardness,
            centre: [r.normal(0.0, 0.35), r.normal(0.0, 0.35) - 0.3],
            slope: [r.normal(0.0, 0.25 * hardness), r.normal(0.0, 0.25 * hardness)],
        };
        let (has_band, angle, offset) = (r.chance(0.35), r.uniform(0.0, std::f32::consts::TAU), r.uniform(-0.8, 0.8));
        let band = (has_band && is_bssfp(class)).then(|| Band { direction: [angle.cos(), angle.sin()], offset });
        let (has_ghost, strength, place) = (r.chance(0.3), r.uniform(0.02, 0.08), r.uniform(0.0, 1.0));
        let least = (8.0 * pixel).max(1.0);
        let shift = least + place * (0.5 * size as f32 - least);
        Self {
            blur,
            texture,
            coil,
            band,
            ghost: has_ghost.then_some((strength, shift as usize)),
            noise: r.uniform(0.012, 0.05) * hardness,
            white: r.uniform(97.5, 99.8),
            gamma: r.uniform(0.8, 1.25),
        }
    }

    fn apply(&self, r: &mut impl Draw, signal: &Image) -> Image {
        let mut image = signal.clone();
        for (pixel, texture) in image.pixels.iter_mut().zip(&self.texture.pixels) {
            *pixel *= texture;
        }
        let mut image = image.blurred(self.blur);
        image.shade(|x, y, value| value * self.coil.gain(x, y) * self.band_gain(x, y));
        if let Some((strength, shift)) = self.ghost {
            let source = image.pixels.clone();
            let count = source.len();
            for (index, pixel) in image.pixels.iter_mut().enumerate() {
                *pixel += strength * source[(index + shift * image.size) % count];
            }
        }
        for pixel in &mut image.pixels {
            // Rician: the magnitude of a signal with normal noise in both channels
            let real = *pixel + r.normal(0.0, self.noise);
            *pixel = real.hypot(r.normal(0.0, self.noise));
        }
        image
    }

    fn band_gain(&self, x: f32, y: f32) -> f32 {
        const WIDTH: f32 = 0.06;
        const DEPTH: f32 = 0.7;
        self.band.as_ref().map_or(1.0, |band| {
            let across = band.direction[0] * x + band.direction[1] * y - band.offset;
            1.0 - DEPTH * (-0.5 * (across / WIDTH) * (across / WIDTH)).exp()
        })
    }
}

impl Coil {
    fn gain(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        (self.slope[0] * x + self.slope[1] * y - self.fall * (dx * dx + dy * dy)).exp()
    }
}

impl Phase {
    fn apply(&self, r: &mut impl Draw, signal: &Image, void: &[bool]) -> Image {
        let mut image = signal.blurred(self.blur);
        image.shade(|x, y, value| value + self.slope[0] * x + self.slope[1] * y);
        for (pixel, &void) in image.pixels.iter_mut().zip(void) {
            *pixel = if void { 0.5 + r.uniform(-self.void, self.void) } else { *pixel + r.normal(0.0, self.noise) };
        }
        image
    }
}

impl Map {
    fn apply(&self, r: &mut impl Draw, signal: &Image, void: &[bool]) -> Image {
        let mut image = signal.blurred(self.blur);
        if self.edges {
            // partial volume fits badly
            let gradient = image.gradient();
            for (pixel, gradient) in image.pixels.iter_mut().zip(&gradient.pixels) {
                *pixel *= (-1.2 * gradient).exp();
            }
        }
        for (pixel, &void) in image.pixels.iter_mut().zip(void) {
            *pixel = if void { r.uniform(0.0, 1.0) } else { *pixel * r.normal(1.0, 0.05) };
        }
        image
    }
}

/// Whether the sequence is balanced SSFP, which shows bands.
const fn is_bssfp(class: Class) -> bool {
    matches!(class, Class::Ao | Class::La2ch | Class::La3ch | Class::La4ch | Class::Lvot | Class::Sa)
}
