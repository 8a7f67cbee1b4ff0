//! Several panels under each other on one time axis: bars of what was done, and charts of what came of it.

use plotters::element::{PathElement, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::{
    Area, Axis, Band, Chart, Drawn, EDGE, FONT, Frame, Ink, Mark, Size, TEXT, UNIT, draw,
    draw_axes, draw_bands, element, text_width, write,
};

pub struct Stack {
    /// Unique in the page.
    pub id: &'static str,
    pub title: String,
    /// The sentence that a reader should take away.
    pub description: String,
    pub x: Axis,
    /// Written above everything.
    pub bands: Vec<Band>,
    pub lanes: Vec<Lane>,
    /// All with `x` as their x axis; their own bands and marks are left out.
    pub charts: Vec<Chart>,
    /// Across everything, with what is written at their head.
    pub marks: Vec<Mark>,
}

/// A line of bars, with its name above it.
pub struct Lane {
    pub name: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub from: f64,
    pub to: f64,
    pub ink: Ink,
}

/// In CSS pixels.
const LANE: i32 = 28;
const CHART: i32 = 150;
const HEAD: i32 = 24;
/// Room for the numbers of the marks.
const NUMBERS: i32 = 18;
const FOOT: i32 = 24;

impl Stack {
    /// Each chart, or the lanes where there is none, ends with the names of the x axis.
    fn height(&self) -> i32 {
        self.lanes_end() + CHART * self.charts.len() as i32 + FOOT
    }

    /// Where the numbers of the marks begin: below the names of the bands.
    fn head(&self) -> i32 {
        if self.bands.is_empty() { 0 } else { HEAD }
    }

    fn lanes_begin(&self) -> i32 {
        self.head() + if self.marks.is_empty() { 0 } else { NUMBERS }
    }

    fn lanes_end(&self) -> i32 {
        self.lanes_begin() + LANE * self.lanes.len() as i32
    }

    /// As `svg` of a chart. Only the width of `size` is taken.
    pub fn svg(&self, size: Size, variant: &str) -> String {
        let units = (size.width * UNIT, self.height() * UNIT);
        let words = (self.id, self.title.as_str(), self.description.as_str());
        element(words, units, variant, |area| self.draw(units, area))
    }

    fn draw(&self, (width, height): (i32, i32), area: &Area<'_>) -> Drawn {
        let frames: Vec<Frame> = self
            .charts
            .iter()
            .map(|chart| Frame::of(chart, (width, CHART * UNIT)))
            .collect();
        let left = frames
            .iter()
            .map(|frame| frame.left)
            .max()
            .unwrap_or(30 * UNIT);
        let right = frames
            .iter()
            .map(|frame| frame.right)
            .min()
            .unwrap_or(width - 30 * UNIT);
        let whole = Frame {
            left,
            right,
            top: self.head() * UNIT,
            bottom: height - FOOT * UNIT,
            x_ticks: self.x.ticks(((right - left) / (76 * UNIT)).max(2) as usize),
            y_ticks: Vec::new(),
        };
        let banded = Chart {
            bands: self.bands.clone(),
            ..Chart::blank(self.x.clone())
        };
        draw_bands(&banded, &whole, area)?;
        // Under everything else, so that they cross no text.
        self.draw_marks(&whole, area)?;
        self.draw_lanes(&whole, area)?;
        let mut top = self.lanes_end() * UNIT;
        for (chart, frame) in self.charts.iter().zip(frames) {
            let part = area.clone().shrink((0, top), (width, CHART * UNIT));
            let frame = Frame {
                left,
                right,
                top: 22 * UNIT,
                bottom: (CHART - 4) * UNIT,
                x_ticks: Vec::new(),
                ..frame
            };
            write(
                &part,
                &chart.title,
                (left, 5 * UNIT),
                HPos::Left,
                VPos::Top,
                TEXT,
            )?;
            draw(chart, &frame, &part)?;
            top += CHART * UNIT;
        }
        draw_axes(&Chart::blank(self.x.clone()), &whole, area)
    }

    fn draw_lanes(&self, whole: &Frame, area: &Area<'_>) -> Drawn {
        for (index, lane) in self.lanes.iter().enumerate() {
            let top = (self.lanes_begin() + LANE * index as i32) * UNIT;
            for bar in &lane.bars {
                let from = whole.x(self.x.place(bar.from));
                // However short it was, it can be seen.
                let to = whole
                    .x(self.x.place(bar.to))
                    .max(from + 3 * UNIT)
                    .min(whole.right);
                let corners = [
                    (from.min(to - UNIT), top + 15 * UNIT),
                    (to, top + 24 * UNIT),
                ];
                area.draw(&Rectangle::new(corners, bar.ink.color().filled()))?;
            }
            let start = lane.bars.first().map_or(0.0, |bar| bar.from);
            let name = fitting(&lane.name, whole.right - whole.left);
            // Where it does not fit after the start, it ends with the chart.
            let x = whole
                .x(self.x.place(start))
                .min(whole.right - text_width(&name))
                .max(whole.left);
            write(area, &name, (x, top + UNIT), HPos::Left, VPos::Top, TEXT)?;
        }
        Ok(())
    }

    fn draw_marks(&self, whole: &Frame, area: &Area<'_>) -> Drawn {
        let mut free = whole.left;
        for mark in &self.marks {
            let x = whole.x(self.x.place(mark.at));
            // Not dashed: the backend writes each dash as an element, and these are the longest lines of the page.
            let down = vec![(x, self.lanes_begin() * UNIT), (x, whole.bottom)];
            area.draw(&PathElement::new(down, EDGE.stroke_width(UNIT as u32 / 2)))?;
            let width = text_width(&mark.name);
            let from = (x - width / 2).max(free);
            // Numbers that have no room stand in the table below alone.
            if from <= x && from + width <= whole.right + FONT {
                write(
                    area,
                    &mark.name,
                    (from, whole.top + 2 * UNIT),
                    HPos::Left,
                    VPos::Top,
                    TEXT,
                )?;
                free = from + width + 2 * UNIT;
            }
        }
        Ok(())
    }
}

/// The name, cut where it is wider.
fn fitting(name: &str, width: i32) -> String {
    if text_width(name) <= width {
        return name.to_owned();
    }
    let letters = (width / text_width("x").max(1)) as usize;
    let mut cut: String = name.chars().take(letters.saturating_sub(2)).collect();
    cut.push('\u{2026}');
    cut
}
