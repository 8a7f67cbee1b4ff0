//! A chart with its legend, its note and the table of its data.

use maud::{Markup, PreEscaped, html};

use crate::render::chart::{Ink, NARROW, Stroke, WIDE};
use crate::render::figures::{Figure, Table};

/// The chart is there twice, for wide and for narrow screens, since its text has to stay readable.
pub fn figure(figure: &Figure) -> Markup {
    let drawing = &figure.drawing;
    html! {
        figure {
            h3 { (drawing.title()) }
            ul .legend aria-hidden="true" {
                @for line in drawing.lines() { li { (swatch(line.ink, line.stroke)) (line.name) } }
            }
            (PreEscaped(drawing.svg(WIDE, "wide")))
            (PreEscaped(drawing.svg(NARROW, "narrow")))
            figcaption {
                p { (drawing.description()) " " (figure.note) }
                (data(&figure.table))
            }
        }
    }
}

fn swatch(ink: Ink, stroke: Stroke) -> Markup {
    let dashes = match stroke {
        Stroke::Solid => "none",
        Stroke::Dashed => "7 4",
        Stroke::Dotted => "2 3",
    };
    let color = ink.color();
    let color = format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
    html! {
        svg .swatch viewBox="0 0 28 8" {
            line x1="0" y1="4" x2="28" y2="4" stroke=(color) stroke-width="2.5" stroke-dasharray=(dashes) {}
        }
    }
}

fn data(table: &Table) -> Markup {
    html! {
        details {
            summary { "The data of this chart" }
            @if table.rows.is_empty() {
                p { "Nothing was recorded." }
            } @else {
                div .scroll tabindex="0" { table .data {
                    thead { tr { @for name in &table.head { th scope="col" .number { (name) } } } }
                    tbody { @for row in &table.rows { tr { @for cell in row { td .number { (cell) } } } } }
                } }
            }
        }
    }
}
