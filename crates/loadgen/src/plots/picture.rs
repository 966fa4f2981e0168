//! A picture of figures: panels of lines, as SVG on white, so that it is read on a dark page too.

use std::fs;
use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;

use crate::fault::{Fault, OrFault as _, Result};

/// Of one panel, in pixels.
const SIZE: (u32, u32) = (480, 320);
/// Panels beside each other.
const BESIDE: usize = 2;
const FONT: &str = "sans-serif";
/// Told apart also by those who see red and green alike.
const COLORS: [RGBColor; 3] = [
    RGBColor(0x1f, 0x5f, 0xa8),
    RGBColor(0xd9, 0x6c, 0x06),
    RGBColor(0x55, 0x55, 0x55),
];

/// Several panels about one run.
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) panels: Vec<Panel>,
}

/// Lines over the same axes.
pub(super) struct Panel {
    pub(super) x: Axis,
    /// What grows upwards, from zero, and its unit.
    pub(super) y: &'static str,
    pub(super) curves: Vec<Curve>,
}

/// What grows to the right.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// What it is, and its unit.
    pub(super) name: &'static str,
    pub(super) scale: Scale,
}

/// How an axis grows.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// By the same amount each time.
    Even,
    /// By the same factor each time, this one.
    Times(f64),
}

/// A line.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

impl Scale {
    /// Where a value is.
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Even => value,
            Self::Times(factor) => value.max(f64::MIN_POSITIVE).log(factor),
        }
    }

    /// What is written at a place; nothing between two steps.
    fn label(self, place: f64) -> String {
        match self {
            Self::Even => number(place),
            Self::Times(_) if (place - place.round()).abs() > 1e-6 => String::new(),
            Self::Times(factor) => number(factor.powf(place.round())),
        }
    }
}

impl Picture {
    pub(super) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let path = folder.join(format!("{name}.svg"));
        fs::write(path, self.svg()?).or_fault("a picture cannot be written")
    }

    /// The picture as SVG, the same for the same figures.
    fn svg(&self) -> Result<String> {
        let columns = self.panels.len().clamp(1, BESIDE);
        let rows = self.panels.len().div_ceil(BESIDE).max(1);
        let pixels = |panels: usize, each: u32| {
            let panels = u32::try_from(panels).or_fault("too many panels")?;
            Ok::<_, Fault>(panels.saturating_mul(each))
        };
        let size = (pixels(columns, SIZE.0)?, pixels(rows, SIZE.1)? + 40);
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
            root.fill(&WHITE).or_fault(UNDRAWN)?;
            let below = root.titled(&self.title, (FONT, 20)).or_fault(UNDRAWN)?;
            for (panel, area) in self.panels.iter().zip(below.split_evenly((rows, columns))) {
                panel.draw(&area)?;
            }
            root.present().or_fault(UNDRAWN)?;
        }
        Ok(text
            .lines()
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect())
    }
}

const UNDRAWN: &str = "a picture cannot be drawn";

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

impl Panel {
    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let scale = self.x.scale;
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let x = range(points().map(|point| scale.place(point.0)), false);
        let y = range(points().map(|point| point.1), true);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(24)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)
            .or_fault(UNDRAWN)?;
        chart
            .configure_mesh()
            .x_desc(self.x.name)
            .y_desc(self.y)
            .x_labels(10)
            .y_labels(6)
            .x_label_formatter(&|place| scale.label(*place))
            .y_label_formatter(&|value| number(*value))
            .label_style((FONT, 14))
            .axis_desc_style((FONT, 16))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()
            .or_fault(UNDRAWN)?;
        for (curve, color) in self.curves.iter().zip(COLORS) {
            let places = curve.points.iter().map(|(x, y)| (scale.place(*x), *y));
            let series = LineSeries::new(places, color.stroke_width(2)).point_size(2);
            let line = chart.draw_series(series).or_fault(UNDRAWN)?;
            if self.curves.len() > 1 {
                line.label(curve.name).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
                });
            }
        }
        if self.curves.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .label_font((FONT, 14))
                .draw()
                .or_fault(UNDRAWN)?;
        }
        Ok(())
    }
}

/// From the least of these to the most; from zero to a little more, if they begin there.
fn range(values: impl Iterator<Item = f64>, from_zero: bool) -> Range<f64> {
    let (least, most) = values.filter(|value| value.is_finite()).fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| (least.min(value), most.max(value)),
    );
    if !most.is_finite() {
        return 0.0..1.0;
    }
    if from_zero {
        return 0.0..(most * 1.1).max(1e-3);
    }
    if most > least {
        return least..most;
    }
    // A single value: in the middle, so that there is a range at all.
    most - 1.0..most + 1.0
}

/// A number for people: thousands are divided, small ones have a decimal.
fn number(value: f64) -> String {
    if value.abs() < 10.0 && value.fract().abs() > 1e-6 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (value, expected) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (7.0, "7"),
            (512.0, "512"),
            (10_000.0, "10,000"),
            (1_000_000.0, "1,000,000"),
            (-1200.0, "-1,200"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn steps_are_labelled_and_what_is_between_is_not() {
        let scale = Scale::Times(2.0);
        assert_eq!(scale.label(scale.place(512.0)), "512");
        assert_eq!(scale.label(2.5), "");
        assert_eq!(Scale::Even.label(2.5), "2.5");
    }

    #[test]
    fn a_range_is_one_whatever_there_is() {
        for figures in [&[][..], &[0.0], &[3.0], &[f64::NAN, 1.0], &[2.0, 4.0]] {
            for from_zero in [false, true] {
                let Range { start, end } = range(figures.iter().copied(), from_zero);
                assert!(start < end, "{figures:?}: {start}..{end}");
            }
        }
    }

    #[test]
    fn a_picture_has_all_that_is_needed_to_read_it() {
        let panel = |y| Panel {
            x: Axis {
                name: "connections",
                scale: Scale::Times(2.0),
            },
            y,
            curves: vec![
                Curve {
                    name: "p50",
                    points: vec![(1.0, 10.0), (2.0, 20.0), (512.0, 15.0)],
                },
                Curve {
                    name: "p99",
                    points: vec![(1.0, 30.0)],
                },
            ],
        };
        let picture = Picture {
            title: "Finishes".to_owned(),
            panels: vec![panel("finishes a second"), panel("ms"), panel("MiB")],
        };
        let svg = picture.svg().unwrap();
        for text in ["Finishes", "connections", "finishes a second", "p99", "512"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        let last_background = svg.find("#FFFFFF").unwrap();
        assert!(last_background < svg.find("Finishes").unwrap(), "{svg}");
        assert_eq!(svg, picture.svg().unwrap());
        let empty = Picture {
            title: String::new(),
            panels: Vec::new(),
        };
        assert!(empty.svg().is_ok());
    }
}
