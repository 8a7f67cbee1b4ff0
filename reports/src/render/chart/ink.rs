//! What is drawn into a chart's frame: runs of values, limits across it, places on its x axis.

use plotters::element::{DashedPathElement, PathElement};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, Chart, Drawn, EDGE, Frame, Ink, Line, Stroke, TEXT, UNIT, write};

pub fn draw_run(points: &[(i32, i32)], line: &Line, area: &Area<'_>) -> Drawn {
    let style = line.ink.color().stroke_width(3 * UNIT as u32 / 2);
    let dashes = |length: i32, gap: i32| {
        DashedPathElement::new(points.iter().copied(), length * UNIT, gap * UNIT, style)
    };
    match (points, line.stroke) {
        ([], _) => {}
        // A single value has no length: a short dash shows it.
        ([(x, y)], _) => {
            let dash = vec![(x - 3 * UNIT, *y), (x + 3 * UNIT, *y)];
            area.draw(&PathElement::new(dash, style))?;
        }
        (_, Stroke::Solid) => area.draw(&PathElement::new(points.to_vec(), style))?,
        (_, Stroke::Dashed) => area.draw(&dashes(7, 4))?,
        (_, Stroke::Dotted) => area.draw(&dashes(2, 3))?,
    }
    Ok(())
}

/// Limits, each with its name at the right end, above its line or, near the top, below it.
pub fn draw_rules(chart: &Chart, frame: &Frame, area: &Area<'_>) -> Drawn {
    let color = Ink::Vermillion.color();
    for rule in &chart.rules {
        let y = frame.y(chart.y.place(rule.at));
        let across = [(frame.left, y), (frame.right, y)];
        area.draw(&DashedPathElement::new(
            across,
            10 * UNIT,
            4 * UNIT,
            color.stroke_width(UNIT as u32),
        ))?;
        let below = y - frame.top < 18 * UNIT;
        let (y, side) = if below {
            (y + 4 * UNIT, VPos::Top)
        } else {
            (y - 2 * UNIT, VPos::Bottom)
        };
        write(
            area,
            &rule.name,
            (frame.right - 4 * UNIT, y),
            HPos::Right,
            side,
            color,
        )?;
    }
    Ok(())
}

/// Places on the x axis, each with its name beside its line, on the side that has more room.
pub fn draw_marks(chart: &Chart, frame: &Frame, area: &Area<'_>) -> Drawn {
    for mark in &chart.marks {
        let x = frame.x(chart.x.place(mark.at));
        let down = [(x, frame.top), (x, frame.bottom)];
        let style = EDGE.stroke_width(UNIT as u32);
        area.draw(&DashedPathElement::new(down, 4 * UNIT, 4 * UNIT, style))?;
        let (x, side) = if x - frame.left > frame.right - x {
            (x - 5 * UNIT, HPos::Right)
        } else {
            (x + 5 * UNIT, HPos::Left)
        };
        write(
            area,
            &mark.name,
            (x, frame.bottom - 6 * UNIT),
            side,
            VPos::Bottom,
            TEXT,
        )?;
    }
    Ok(())
}
