//! Pictures as SVG, drawn by `plotters`.
//!
//! Colours are a few fixed values that the page's style sheet maps to those of its light, dark and printed form. Texts and lines are drawn
//! for a width of 360 pixels, that of a phone.

use std::fmt::Display;

use anyhow::{Result, anyhow};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::model::Points;

/// Colours of series, in order; Okabe and Ito's, which colour-blind people can tell apart.
const SERIES: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(127, 85, 57),
    RGBColor(108, 117, 125),
];

/// Number of different colours.
pub(super) const N_COLORS: usize = SERIES.len();

const INK: RGBColor = RGBColor(17, 17, 17);
const GRID: RGBColor = RGBColor(221, 221, 221);
const AXIS: RGBColor = RGBColor(136, 136, 136);
/// What is behind the pictures.
const PANEL: RGBColor = RGBColor(255, 255, 255);

const WIDTH: u32 = 360;
const TEXT: (&str, i32) = ("sans-serif", 12);

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Shares, shown as percentages.
    Share,
    /// Differences of shares, shown in points.
    Points,
    /// Anything else.
    Number,
}

impl Unit {
    /// A number of an axis whose numbers lie `step` apart.
    fn tick(self, value: f64, step: f64) -> String {
        match self {
            Self::Share => format!("{}%", decimals(100.0 * value, 100.0 * step)),
            Self::Points => decimals(100.0 * value, 100.0 * step),
            Self::Number => decimals(value, step),
        }
    }
}

fn decimals(value: f64, step: f64) -> String {
    // Ticks are sums of steps: that at 0 is not exactly 0.
    if value.abs() < step / 1000.0 {
        return "0".to_owned();
    }
    if value.abs() < 1e-3 || value.abs() >= 1e5 {
        return format!("{value:.1e}");
    }
    let places = (-step.max(1e-9).log10()).ceil().clamp(0.0, 5.0) as usize;
    format!("{value:.places$}")
}

/// A line of a chart over steps.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Index of its colour.
    pub(super) color: usize,
    /// How it is drawn.
    pub(super) pen: Pen,
    /// Its points.
    pub(super) points: Points,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pen {
    /// Thin and pale: single values.
    Thin,
    /// Means.
    Bold,
    /// Few points: with a dot at each.
    Dots,
}

/// An interval over steps: (step, lower end, upper end).
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Index of its colour.
    pub(super) color: usize,
    /// Its points.
    pub(super) points: Vec<(f64, f64, f64)>,
}

/// A chart over steps.
#[derive(Clone, Debug)]
pub(super) struct LineChart {
    /// What is told, for readers that cannot see it.
    pub(super) title: String,
    /// Name and unit of the horizontal axis.
    pub(super) x_label: String,
    /// Name and unit of the vertical axis.
    pub(super) y_label: String,
    /// What its numbers are.
    pub(super) unit: Unit,
    /// Behind the lines.
    pub(super) bands: Vec<Band>,
    /// The lines.
    pub(super) lines: Vec<Line>,
}

impl LineChart {
    /// The picture; `None` without points.
    pub(super) fn svg(&self) -> Result<Option<String>> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let Some(x) = range(points().map(|point| point.0)) else { return Ok(None) };
        let Some((y0, y1)) = range(points().map(|point| point.1)) else { return Ok(None) };
        // Intervals of two seeds are wide: they must not press the lines flat.
        let room = 0.5 * (y1 - y0);
        let ends = || self.bands.iter().flat_map(|band| &band.points);
        let lo = ends().map(|point| point.1).fold(y0, f64::min).max(y0 - room);
        let hi = ends().map(|point| point.2).fold(y1, f64::max).min(y1 + room);
        let pad = 0.06 * (hi - lo);
        // Where no value is below 0 or, of shares, above 1, the axis is not either.
        let bottom = if y0 >= 0.0 { (lo - pad).max(0.0) } else { lo - pad };
        let top = if self.unit == Unit::Share && points().all(|point| point.1 <= 1.0) { (hi + pad).min(1.0) } else { hi + pad };
        picture(&self.title, 220, |root| self.draw(root, x, (bottom, top))).map(Some)
    }

    fn draw(&self, root: &Area<'_>, x: (f64, f64), y: (f64, f64)) -> Result<()> {
        let mut chart = ChartBuilder::on(root)
            .margin(6)
            .margin_right(14)
            .set_label_area_size(LabelAreaPosition::Left, 52)
            .set_label_area_size(LabelAreaPosition::Bottom, 34)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)
            .map_err(drawing)?;
        let (x_step, y_step) = ((x.1 - x.0) / 5.0, (y.1 - y.0) / 5.0);
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(AXIS)
            .label_style(TEXT.into_font().color(&INK))
            .axis_desc_style(TEXT.into_font().color(&INK))
            .x_labels(5)
            .y_labels(5)
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            // Steps are whole numbers, probabilities are not.
            .x_label_formatter(&|value| decimals(*value, if x.1 - x.0 > 2.0 { x_step.max(1.0) } else { x_step }))
            .y_label_formatter(&|value| self.unit.tick(*value, y_step))
            .draw()
            .map_err(drawing)?;
        for band in &self.bands {
            let there = band.points.iter().map(|&(step, lo, _)| (step, lo.max(y.0)));
            let back = band.points.iter().rev().map(|&(step, _, hi)| (step, hi.min(y.1)));
            let polygon = Polygon::new(there.chain(back).collect::<Vec<_>>(), SERIES[band.color % N_COLORS].mix(0.18).filled());
            chart.draw_series(std::iter::once(polygon)).map_err(drawing)?;
        }
        for line in &self.lines {
            draw_line(&mut chart, line)?;
        }
        Ok(())
    }
}

fn draw_line(chart: &mut Chart<'_, '_>, line: &Line) -> Result<()> {
    let color = SERIES[line.color % N_COLORS];
    let style = match line.pen {
        Pen::Thin => color.mix(0.35).stroke_width(1),
        Pen::Bold | Pen::Dots => color.stroke_width(2),
    };
    chart.draw_series(std::iter::once(PathElement::new(line.points.clone(), style))).map_err(drawing)?;
    // One point makes no line.
    if line.pen == Pen::Dots || line.points.len() == 1 {
        chart.draw_series(line.points.iter().map(|&point| Circle::new(point, 3, color.filled()))).map_err(drawing)?;
    }
    Ok(())
}

/// A value with its interval.
#[derive(Clone, Debug)]
pub(super) struct Dot {
    /// What it belongs to.
    pub(super) label: String,
    /// Index of its colour.
    pub(super) color: usize,
    /// The value.
    pub(super) value: f64,
    /// Its interval, if there is one.
    pub(super) interval: Option<(f64, f64)>,
}

/// Values with intervals, one below the other.
#[derive(Clone, Debug)]
pub(super) struct DotChart {
    /// What is told.
    pub(super) title: String,
    /// Name and unit of the axis.
    pub(super) x_label: String,
    /// What its numbers are.
    pub(super) unit: Unit,
    /// Value that a line marks, such as 0 for differences.
    pub(super) mark: Option<f64>,
    /// The values, from above.
    pub(super) dots: Vec<Dot>,
}

impl DotChart {
    /// The picture; `None` without values.
    pub(super) fn svg(&self) -> Result<Option<String>> {
        let ends = self.dots.iter().flat_map(|dot| {
            let (lo, hi) = dot.interval.unwrap_or((dot.value, dot.value));
            [lo, hi]
        });
        let Some((lo, hi)) = range(ends.chain(self.mark)) else { return Ok(None) };
        let pad = 0.06 * (hi - lo);
        let (mut lo, mut hi) = (lo - pad, hi + pad);
        if self.unit == Unit::Share && self.mark.is_none() {
            (lo, hi) = (lo.max(0.0), hi.min(1.0));
        }
        let labels: Vec<&str> = self.dots.iter().map(|dot| dot.label.as_str()).collect();
        let rows = Rows { title: &self.title, x_label: &self.x_label, unit: self.unit, range: (lo, hi), labels: &labels };
        rows.svg(|chart| {
            if let Some(mark) = self.mark {
                let line = PathElement::new(vec![(mark, 0.0), (mark, self.dots.len() as f64)], AXIS.stroke_width(1));
                chart.draw_series(std::iter::once(line)).map_err(drawing)?;
            }
            for (row, dot) in self.dots.iter().enumerate() {
                let (y, color) = (rows.y(row), SERIES[dot.color % N_COLORS]);
                if let Some((lo, hi)) = dot.interval {
                    chart.draw_series(std::iter::once(PathElement::new(vec![(lo, y), (hi, y)], color.stroke_width(2)))).map_err(drawing)?;
                }
                chart.draw_series(std::iter::once(Circle::new((dot.value, y), 4, color.filled()))).map_err(drawing)?;
            }
            Ok(())
        })
        .map(Some)
    }
}

/// Amounts that add up, one bar below the other.
#[derive(Clone, Debug)]
pub(super) struct BarChart {
    /// What is told.
    pub(super) title: String,
    /// Name and unit of the axis.
    pub(super) x_label: String,
    /// Each bar: its label and (colour, amount) of its parts.
    pub(super) bars: Vec<(String, Vec<(usize, f64)>)>,
}

impl BarChart {
    /// The picture; `None` without anything in it.
    pub(super) fn svg(&self) -> Result<Option<String>> {
        let longest = self.bars.iter().map(|(_, parts)| parts.iter().map(|part| part.1).sum::<f64>()).fold(0.0, f64::max);
        if longest <= 0.0 {
            return Ok(None);
        }
        let labels: Vec<&str> = self.bars.iter().map(|(label, _)| label.as_str()).collect();
        let rows = Rows { title: &self.title, x_label: &self.x_label, unit: Unit::Number, range: (0.0, 1.03 * longest), labels: &labels };
        rows.svg(|chart| {
            for (row, (_, parts)) in self.bars.iter().enumerate() {
                let mut from = 0.0;
                for &(color, amount) in parts {
                    let corners = [(from, rows.y(row) - 0.32), (from + amount, rows.y(row) + 0.32)];
                    let bar = Rectangle::new(corners, SERIES[color % N_COLORS].filled());
                    chart.draw_series(std::iter::once(bar)).map_err(drawing)?;
                    from += amount;
                }
            }
            Ok(())
        })
        .map(Some)
    }
}

/// Rows with a label each.
struct Rows<'a> {
    title: &'a str,
    x_label: &'a str,
    unit: Unit,
    range: (f64, f64),
    labels: &'a [&'a str],
}

impl Rows<'_> {
    const ROW: u32 = 24;
    const LONGEST: usize = 26;

    /// Middle of a row; the first one is at the top.
    fn y(&self, row: usize) -> f64 {
        (self.labels.len() - row) as f64 - 0.5
    }

    fn svg(&self, fill: impl FnOnce(&mut Chart<'_, '_>) -> Result<()>) -> Result<String> {
        let longest = self.labels.iter().map(|label| label.chars().count().min(Self::LONGEST)).max().unwrap_or(0);
        let left = 14 + 13 * longest as u32 / 2;
        picture(self.title, 54 + Self::ROW * self.labels.len() as u32, |root| {
            let mut chart = ChartBuilder::on(root)
                .margin(6)
                .margin_right(18)
                .set_label_area_size(LabelAreaPosition::Left, left)
                .set_label_area_size(LabelAreaPosition::Bottom, 34)
                .build_cartesian_2d(self.range.0..self.range.1, 0.0..self.labels.len() as f64)
                .map_err(drawing)?;
            let step = (self.range.1 - self.range.0) / 5.0;
            chart
                .configure_mesh()
                .bold_line_style(GRID)
                .light_line_style(TRANSPARENT)
                .axis_style(AXIS)
                .label_style(TEXT.into_font().color(&INK))
                .axis_desc_style(TEXT.into_font().color(&INK))
                .disable_y_mesh()
                .x_labels(5)
                .y_labels(0)
                .x_desc(self.x_label)
                .x_label_formatter(&|value| self.unit.tick(*value, step))
                .draw()
                .map_err(drawing)?;
            fill(&mut chart)?;
            let style = TEXT.into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Center));
            for (row, label) in self.labels.iter().enumerate() {
                let (x, y) = chart.plotting_area().map_coordinate(&(self.range.0, self.y(row)));
                root.draw(&Text::new(shortened(label, Self::LONGEST), (x - 7, y), style.clone())).map_err(drawing)?;
            }
            Ok(())
        })
    }
}

/// A box of a graph.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// First line.
    pub(super) name: String,
    /// Second line.
    pub(super) detail: String,
    /// Index of its colour.
    pub(super) color: usize,
    /// Row, from above.
    pub(super) row: usize,
    /// Place in its row.
    pub(super) column: usize,
}

/// What is made from what: boxes in rows, with lines from above to below.
pub(super) fn graph(title: &str, nodes: &[Node], edges: &[(usize, usize)]) -> Result<Option<String>> {
    const BOX: (i32, i32) = (112, 36);
    const GAP: (i32, i32) = (10, 26);
    // Rows are shifted in turns, so that a line past a row does not run along a column of boxes.
    const SHIFT: i32 = 30;
    let in_row = |row: usize| nodes.iter().filter(|node| node.row == row).count() as i32;
    let Some(n_rows) = nodes.iter().map(|node| node.row + 1).max() else { return Ok(None) };
    let widest = (0..n_rows).map(in_row).max().unwrap_or(1);
    let width = (widest * (BOX.0 + GAP.0) + GAP.0 + 2 * SHIFT).max(WIDTH as i32);
    let height = n_rows as i32 * (BOX.1 + GAP.1) + GAP.1 / 2;
    let corner = |node: &Node| {
        let row_width = in_row(node.row) * (BOX.0 + GAP.0) - GAP.0;
        let shift = if node.row.is_multiple_of(2) { -SHIFT } else { SHIFT };
        ((width - row_width) / 2 + shift + node.column as i32 * (BOX.0 + GAP.0), GAP.1 / 2 + node.row as i32 * (BOX.1 + GAP.1))
    };
    sized_picture(title, (width as u32, height as u32), |root| {
        for &(from, to) in edges {
            let ((x0, y0), (x1, y1)) = (corner(&nodes[from]), corner(&nodes[to]));
            let line = vec![(x0 + BOX.0 / 2, y0 + BOX.1), (x1 + BOX.0 / 2, y1)];
            root.draw(&PathElement::new(line, AXIS.stroke_width(1))).map_err(drawing)?;
            root.draw(&Circle::new((x1 + BOX.0 / 2, y1), 2, AXIS.filled())).map_err(drawing)?;
        }
        let style = TEXT.into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
        for node in nodes {
            let (x, y) = corner(node);
            let frame = [(x, y), (x + BOX.0, y + BOX.1)];
            root.draw(&Rectangle::new(frame, PANEL.filled())).map_err(drawing)?;
            root.draw(&Rectangle::new(frame, SERIES[node.color % N_COLORS].mix(0.18).filled())).map_err(drawing)?;
            root.draw(&Rectangle::new(frame, SERIES[node.color % N_COLORS].stroke_width(1))).map_err(drawing)?;
            for (text, dy) in [(&node.name, 11), (&node.detail, 25)] {
                root.draw(&Text::new(shortened(text, 18), (x + BOX.0 / 2, y + dy), style.clone())).map_err(drawing)?;
            }
        }
        Ok(())
    })
    .map(Some)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn picture(title: &str, height: u32, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    sized_picture(title, (WIDTH, height), draw)
}

fn sized_picture(title: &str, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    draw(&root)?;
    root.present().map_err(drawing)?;
    drop(root);
    // A name for readers that cannot see the picture; control characters have no place in XML.
    let name: String = title.chars().filter(|c| !c.is_control()).collect();
    let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    Ok(svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{name}\" "), 1))
}

/// Smallest and largest value, made apart if they are the same; `None` without values.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|value| value.is_finite());
    let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| (lo.min(value), hi.max(value)));
    if lo > hi {
        return None;
    }
    let least = 1e-9_f64.max(1e-6 * lo.abs().max(hi.abs()));
    if hi - lo >= least {
        return Some((lo, hi));
    }
    if lo == 0.0 {
        return Some((0.0, 1.0));
    }
    let half = 0.1 * lo.abs();
    Some((lo - half, hi + half))
}

fn shortened(text: &str, longest: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.chars().count() <= longest { text } else { text.chars().take(longest - 1).chain(['…']).collect() }
}

fn drawing(error: impl Display) -> anyhow::Error {
    anyhow!("cannot draw a picture: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_never_empty() {
        assert_eq!(range([1.0, 3.0, f64::NAN].into_iter()), Some((1.0, 3.0)));
        assert_eq!(range([0.0, 0.0].into_iter()), Some((0.0, 1.0)));
        assert_eq!(range([2.0].into_iter()), Some((1.8, 2.2)));
        assert_eq!(range([f64::INFINITY].into_iter()), None);
        assert_eq!(range([].into_iter()), None);
    }

    #[test]
    fn numbers_of_axes_have_the_decimals_that_tell_them_apart() {
        let shown = |value, step| Unit::Number.tick(value, step);
        assert_eq!(
            (shown(20.0, 5.0), shown(0.25, 0.05), shown(3e-4, 1e-4), shown(1e-12, 0.1)),
            ("20".into(), "0.25".into(), "3.0e-4".into(), "0".into())
        );
        assert_eq!(Unit::Share.tick(0.655, 0.05), "66%");
        assert_eq!(Unit::Share.tick(0.655, 0.005), "65.5%");
    }

    #[test]
    fn a_chart_is_one_line_of_scaled_points_and_escapes_its_texts() {
        let chart = LineChart {
            title: "a <b> & \"c\"\u{1}".into(),
            x_label: "steps <x>".into(),
            y_label: "tokens".into(),
            unit: Unit::Number,
            bands: vec![Band { color: 1, points: vec![(0.0, -1.0, 1.0), (10.0, 1.0, 3.0)] }],
            lines: vec![Line { color: 0, pen: Pen::Bold, points: vec![(0.0, 0.0), (10.0, 2.0)] }],
        };
        let svg = chart.svg().unwrap().unwrap();
        assert!(svg.starts_with("<svg role=\"img\" aria-label=\"a &lt;b> &amp; &quot;c&quot;\" width=\"360\""), "{svg}");
        assert!(svg.contains("steps &lt;x&gt;") && !svg.contains("<x>"), "{svg}");
        assert_eq!(
            svg.matches("<polyline").count(),
            svg.matches("#0072B2").count() + svg.matches("<polyline fill=\"none\" opacity=\"1\" stroke=\"#888888\"").count()
        );
        assert!(svg.contains("<polygon opacity=\"0.18\" fill=\"#D55E00\""), "{svg}");
        let empty = LineChart { lines: vec![Line { color: 0, pen: Pen::Bold, points: vec![(0.0, f64::NAN)] }], bands: vec![], ..chart };
        assert_eq!(empty.svg().unwrap(), None);
    }
}
