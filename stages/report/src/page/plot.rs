//! Curves over the epochs, as a drawing and as numbers; a curve of two shares.

use deepmcat_schemas::jobs::Report;
use deepmcat_schemas::{Epoch, Metrics};
use maud::{Markup, html};

use super::figure_or_dash;
use crate::facts::Facts;

/// Width and height of a curve's picture, in its own unit.
const SIZE: [f64; 2] = [640.0, 240.0];

/// A curve: its name and its values.
pub(super) type Curve<'a> = (&'a str, fn(&Metrics) -> &Vec<Option<f64>>);

/// Curves over the epochs, from 0 to 1, a new line for each network; `beside` is a level to compare with.
pub(super) fn plot(job: &Report, facts: &Facts, title: &str, lines: &[Curve<'_>], beside: Option<f64>) -> Markup {
    let [width, height] = SIZE;
    let most = f64::from(job.epoch.0.max(1));
    let x = |epoch: Epoch| 40.0 + f64::from(epoch.0) / most * (width - 60.0);
    let y = |value: f64| height - 25.0 - value.clamp(0.0, 1.0) * (height - 40.0);
    let part = |epoch: Epoch| job.networks.iter().filter(|&&first| first <= epoch).count();
    let parts = |values: fn(&Metrics) -> &Vec<Option<f64>>| {
        let mut parts: Vec<(usize, Vec<(f64, f64)>)> = Vec::new();
        for (epoch, metrics) in &facts.epochs {
            let Some(value) = values(metrics).first().copied().flatten() else { continue };
            // The result is of all networks.
            let part = if *epoch == job.epoch { usize::MAX } else { part(*epoch) };
            let point = (x(*epoch), y(value));
            match parts.last_mut().filter(|(last, _)| *last == part) {
                Some((_, points)) => points.push(point),
                None => parts.push((part, vec![point])),
            }
        }
        parts
    };
    html! { figure.plot {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label={ (title) ": " (lines.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")) } {
            @for level in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.grid x1="40" x2=(width - 20.0) y1=(y(level)) y2=(y(level)) {}
                text x="34" y=(y(level) + 4.0) text-anchor="end" { (format!("{level:.2}")) }
            }
            text x=(width / 2.0) y=(height - 4.0) text-anchor="middle" { "epoch, 0 to " (job.epoch) }
            @if let Some(level) = beside {
                line.beside x1="40" x2=(width - 20.0) y1=(y(level)) y2=(y(level)) {}
                text.beside x=(width - 22.0) y=(y(level) - 4.0) text-anchor="end" { "raw pixels" }
            }
            @for (place, (_, values)) in lines.iter().enumerate() {
                @for (_, points) in parts(*values) {
                    @if let [(x, y)] = points[..] { circle class={ "dot" (place) } cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="4" {} }
                    @else { polyline class={ "line" (place) } points=(points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")) {} }
                }
            }
        }
        figcaption { @for (place, (name, _)) in lines.iter().enumerate() { span class={ "key key" (place) } { (name) } } }
    } }
}

pub(super) fn numbers(facts: &Facts, lines: &[Curve<'_>]) -> Markup {
    html! { details { summary { "Numbers" }
        div.wide { table {
            thead { tr { th scope="col" { "epoch" } @for (name, _) in lines { th scope="col" { (name) } } } }
            tbody { @for (epoch, metrics) in &facts.epochs { tr { th scope="row" { (epoch) }
                @for (_, values) in lines { td { (figure_or_dash(values(metrics).first().copied().flatten())) } } } } }
        } }
    } }
}

/// An axis from 0.
pub(super) struct Axis {
    /// What it shows.
    pub(super) name: &'static str,
    /// Its end.
    pub(super) most: f64,
}

/// One curve of `points` (x, y). `diagonal`: with the line where both are equal beside it.
pub(super) fn curve(title: &str, [across, up]: [Axis; 2], points: &[(f64, f64)], diagonal: bool) -> Markup {
    let [width, height] = [360.0, 240.0];
    let x = |value: f64| 48.0 + value / across.most * (width - 68.0);
    let y = |value: f64| height - 40.0 - value / up.most * (height - 55.0);
    html! { figure.plot {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label={ (title) ": " (up.name) " over " (across.name) } {
            @for level in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.grid x1="48" x2=(width - 20.0) y1=(y(level * up.most)) y2=(y(level * up.most)) {}
                text x="42" y=(y(level * up.most) + 4.0) text-anchor="end" { (format!("{:.1$}", level * up.most, if up.most < 0.2 { 3 } else { 2 })) }
                text x=(x(level * across.most)) y=(height - 24.0) text-anchor="middle" { (format!("{:.2}", level * across.most)) }
            }
            text x=(width / 2.0) y=(height - 6.0) text-anchor="middle" { (across.name) }
            @if diagonal { line.beside x1=(x(0.0)) y1=(y(0.0)) x2=(x(across.most)) y2=(y(up.most)) {} }
            polyline.line0 points=(points.iter().map(|&(a, b)| format!("{:.1},{:.1}", x(a), y(b))).collect::<Vec<_>>().join(" ")) {}
            @if diagonal { @for &(a, b) in points { circle.dot0 cx=(format!("{:.1}", x(a))) cy=(format!("{:.1}", y(b))) r="3" {} } }
        }
        figcaption { (title) @if diagonal { "; the dashed line is where confidence and accuracy are equal" } }
    } }
}
