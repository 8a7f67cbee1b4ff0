//! A chart as SVG: drawn by plotters' SVG backend on a grid of half pixels, with every area sized from the labels
//! that stand in it. The colours are those of Okabe and Ito; the page's style sheet changes them in the dark by
//! their value, so that a chart alone is right too.

mod axis;
mod ink;
mod stack;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

pub use axis::{Axis, Tick};
use ink::{draw_marks, draw_rules, draw_run};
pub use stack::{Bar, Lane, Stack};

/// All that a chart shows.
pub struct Chart {
    /// Unique in the page.
    pub id: &'static str,
    pub title: String,
    /// The sentence that a reader should take away.
    pub description: String,
    pub x: Axis,
    pub y: Axis,
    pub bands: Vec<Band>,
    pub lines: Vec<Line>,
    pub rules: Vec<Rule>,
    pub marks: Vec<Mark>,
}

impl Chart {
    /// Nothing but the x axis.
    fn blank(x: Axis) -> Chart {
        Chart {
            id: "",
            title: String::new(),
            description: String::new(),
            x,
            y: Axis::linear([]),
            bands: Vec::new(),
            lines: Vec::new(),
            rules: Vec::new(),
            marks: Vec::new(),
        }
    }
}

/// A part of the x axis with a name: a phase.
#[derive(Clone)]
pub struct Band {
    /// What is written where names have no room.
    pub number: usize,
    pub name: String,
    pub from: f64,
    pub to: f64,
    /// Not measured: shaded.
    pub muted: bool,
}

pub struct Line {
    pub name: &'static str,
    pub ink: Ink,
    pub stroke: Stroke,
    /// Where a value is missing a new run begins.
    pub runs: Vec<Vec<(f64, f64)>>,
}

/// A limit, across the whole chart.
pub struct Rule {
    pub name: String,
    pub at: f64,
}

/// A place on the x axis.
pub struct Mark {
    pub name: String,
    pub at: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Blue,
    Vermillion,
    Green,
    Pink,
    Grey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

/// In CSS pixels.
#[derive(Clone, Copy)]
pub struct Size {
    pub width: i32,
    pub height: i32,
}

pub const WIDE: Size = Size {
    width: 860,
    height: 280,
};
pub const NARROW: Size = Size {
    width: 350,
    height: 250,
};

const TEXT: RGBColor = RGBColor(0x59, 0x59, 0x59);
const GRID: RGBColor = RGBColor(0xDD, 0xE1, 0xE6);
const SHADE: RGBColor = RGBColor(0xF0, 0xF2, 0xF5);
const EDGE: RGBColor = RGBColor(0x8A, 0x90, 0x98);

impl Ink {
    pub fn color(self) -> RGBColor {
        match self {
            Ink::Blue => RGBColor(0x00, 0x72, 0xB2),
            Ink::Vermillion => RGBColor(0xD5, 0x5E, 0x00),
            Ink::Green => RGBColor(0x00, 0x9E, 0x73),
            Ink::Pink => RGBColor(0xCC, 0x79, 0xA7),
            Ink::Grey => TEXT,
        }
    }
}

/// The backend's unit is half a CSS pixel: it knows whole ones alone.
const UNIT: i32 = 2;
const FONT: i32 = 12 * UNIT;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A text's width at most, in units: no letter of a sans-serif face is on average wider than this.
fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * f64::from(FONT) * 0.62).ceil() as i32
}

/// The chart as an `svg` element. `variant` makes its ids unique.
pub fn svg(chart: &Chart, size: Size, variant: &str) -> String {
    let units = (size.width * UNIT, size.height * UNIT);
    let words = (chart.id, chart.title.as_str(), chart.description.as_str());
    element(words, units, variant, |area| {
        draw(chart, &Frame::of(chart, units), area)
    })
}

/// What is drawn as an `svg` element of this size, with its id, title and description.
fn element(
    (id, title, description): (&str, &str, &str),
    units: (i32, i32),
    variant: &str,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> String {
    let mut text = String::new();
    {
        let backend = SVGBackend::with_string(&mut text, (units.0 as u32, units.1 as u32));
        let area = backend.into_drawing_area();
        // The backend writes to memory, and nothing of it can fail.
        let _ = draw(&area);
        let _ = area.present();
    }
    let body = text.split_once('>').map_or("", |(_, body)| body);
    let (id, title, description) = (
        format!("{id}-{variant}"),
        escape(title),
        escape(description),
    );
    format!(
        "<svg class=\"chart {variant}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>{body}",
        units.0, units.1
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Where the plot lies, in units, and what is written around it.
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
}

impl Frame {
    fn of(chart: &Chart, (width, height): (i32, i32)) -> Frame {
        let y_ticks = chart.y.ticks((height / (34 * UNIT)).max(2) as usize);
        let widest = y_ticks
            .iter()
            .map(|tick| text_width(&tick.label))
            .max()
            .unwrap_or(0);
        let left = widest + 8 * UNIT;
        // The last label of the x axis is centred on the edge of the plot.
        let x_ticks = chart
            .x
            .ticks(((width - left) / (76 * UNIT)).max(2) as usize);
        let last = x_ticks
            .iter()
            .map(|tick| text_width(&tick.label))
            .max()
            .unwrap_or(0);
        Frame {
            left: left.max(last / 2 + 2 * UNIT),
            right: width - (last / 2 + 2 * UNIT).max(6 * UNIT),
            top: if chart.bands.is_empty() {
                8 * UNIT
            } else {
                22 * UNIT
            },
            bottom: height - 22 * UNIT,
            x_ticks,
            y_ticks,
        }
    }

    fn x(&self, share: f64) -> i32 {
        self.left + (share.clamp(0.0, 1.0) * f64::from(self.right - self.left)).round() as i32
    }

    fn y(&self, share: f64) -> i32 {
        self.bottom - (share.clamp(0.0, 1.0) * f64::from(self.bottom - self.top)).round() as i32
    }
}

fn draw(chart: &Chart, frame: &Frame, area: &Area<'_>) -> Drawn {
    draw_bands(chart, frame, area)?;
    draw_axes(chart, frame, area)?;
    for line in &chart.lines {
        for run in &line.runs {
            let points = run
                .iter()
                .map(|(x, y)| (frame.x(chart.x.place(*x)), frame.y(chart.y.place(*y))));
            draw_run(&points.collect::<Vec<_>>(), line, area)?;
        }
    }
    draw_rules(chart, frame, area)?;
    draw_marks(chart, frame, area)?;
    if chart.lines.iter().all(|line| line.runs.is_empty()) {
        let middle = (
            (frame.left + frame.right) / 2,
            (frame.top + frame.bottom) / 2,
        );
        write(
            area,
            "nothing was recorded",
            middle,
            HPos::Center,
            VPos::Center,
            TEXT,
        )?;
    }
    Ok(())
}

fn draw_bands(chart: &Chart, frame: &Frame, area: &Area<'_>) -> Drawn {
    let numbered = !bands_fit(chart, frame);
    for (index, band) in chart.bands.iter().enumerate() {
        let (from, to) = (
            frame.x(chart.x.place(band.from)),
            frame.x(chart.x.place(band.to)),
        );
        if band.muted {
            let corners = [(from, frame.top - 18 * UNIT), (to, frame.bottom)];
            area.draw(&Rectangle::new(corners, SHADE.filled()))?;
        }
        if index > 0 {
            let edge = vec![(from, frame.top - 18 * UNIT), (from, frame.bottom)];
            area.draw(&PathElement::new(edge, EDGE.stroke_width(UNIT as u32 / 2)))?;
        }
        let name = if numbered {
            band.number.to_string()
        } else {
            band.name.clone()
        };
        if text_width(&name) <= to - from {
            let place = ((from + to) / 2, frame.top - 15 * UNIT);
            write(area, &name, place, HPos::Center, VPos::Top, TEXT)?;
        }
    }
    Ok(())
}

fn bands_fit(chart: &Chart, frame: &Frame) -> bool {
    chart.bands.iter().all(|band| {
        let width = frame.x(chart.x.place(band.to)) - frame.x(chart.x.place(band.from));
        text_width(&band.name) <= width
    })
}

fn draw_axes(chart: &Chart, frame: &Frame, area: &Area<'_>) -> Drawn {
    let thin = |color: RGBColor| color.stroke_width(UNIT as u32 / 2);
    for tick in &frame.y_ticks {
        let y = frame.y(chart.y.place(tick.at));
        area.draw(&PathElement::new(
            vec![(frame.left, y), (frame.right, y)],
            thin(GRID),
        ))?;
        let place = (frame.left - 5 * UNIT, y);
        write(area, &tick.label, place, HPos::Right, VPos::Center, TEXT)?;
    }
    for tick in &frame.x_ticks {
        let x = frame.x(chart.x.place(tick.at));
        let mark = vec![(x, frame.bottom), (x, frame.bottom + 4 * UNIT)];
        area.draw(&PathElement::new(mark, thin(EDGE)))?;
        let place = (x, frame.bottom + 7 * UNIT);
        write(area, &tick.label, place, HPos::Center, VPos::Top, TEXT)?;
    }
    let base = vec![(frame.left, frame.bottom), (frame.right, frame.bottom)];
    area.draw(&PathElement::new(base, thin(EDGE)))?;
    Ok(())
}

fn write(
    area: &Area<'_>,
    text: &str,
    place: (i32, i32),
    horizontal: HPos,
    vertical: VPos,
    color: RGBColor,
) -> Drawn {
    // The backend divides sizes by 1.24.
    let font = ("sans-serif", f64::from(FONT) * 1.24).into_font();
    let style = TextStyle::from(font)
        .color(&color)
        .pos(Pos::new(horizontal, vertical));
    area.draw(&Text::new(text.to_owned(), place, style))?;
    Ok(())
}
