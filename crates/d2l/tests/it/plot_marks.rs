//! The marks of mathematics: areas, bars, stems and steps, one scale for both axes, and a surface beside another.

use d2l::plot::{self, Chart, Figure, Panels, PlotError, Surface};

use crate::plot::{Picture, Result, noise, texts};

const BLUE: &str = "#1F77B4";
const ORANGE: &str = "#FF7F0E";

/// A panel with each mark, for the gallery.
pub fn all() -> Panels {
    let xs: Vec<f64> = (-30..=30).map(|i| f64::from(i) / 10.0).collect();
    let density: Vec<f64> = xs.iter().map(|x| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()).collect();
    let zeros = vec![0.0; xs.len()];
    let area =
        Chart::new().line("density", &xs, &density).area("probability", &xs[20..41], &zeros[20..41], &density[20..41]);

    let middles: Vec<f64> = (0..10).map(|i| -1.8 + 0.4 * f64::from(i)).collect();
    let heights: Vec<f64> = middles.iter().map(|x| x.powi(3) - x).collect();
    let cubic: Vec<f64> = xs.iter().map(|x| x.powi(3) - x).collect();
    let slices = Chart::new().line("f", &xs[10..51], &cubic[10..51]).bars("slices", &middles, &heights, 0.4);

    let counts = [0, 1, 2, 3, 4];
    let shares = [1.0, 4.0, 6.0, 4.0, 1.0].map(|ways| ways / 16.0);
    let mass = Chart::new().stems("mass", &counts, &shares).x_label("heads");
    let totals = [0.0, 1.0, 5.0, 11.0, 15.0, 16.0, 16.0].map(|ways| ways / 16.0);
    let distribution = Chart::new().steps("distribution", &[-1, 0, 1, 2, 3, 4, 5], &totals).x_label("heads");

    let turn: Vec<f64> = (0..=60).map(|i| f64::from(i) * std::f64::consts::TAU / 60.0).collect();
    let (sides, ups): (Vec<f64>, Vec<f64>) = turn.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
    let circle = Chart::new().line("circle", &sides, &ups).same_scale();
    Panels::new(2, [area, slices, mass, distribution, circle])
}

/// A function and the plane that touches it, for the gallery.
pub fn surfaces() -> Surface {
    let axis: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
    Surface::new(&axis, &axis, |x, y| x * x + y * y).beside(|x, y| x + y - 0.5).x_label("x").y_label("y")
}

/// The shapes of a kind in a color; each has a line of its own.
fn shapes<'a>(svg: &'a str, tag: &str, color: &str) -> Vec<&'a str> {
    svg.lines().filter(|line| line.starts_with(tag) && line.contains(color)).collect()
}

fn attribute(shape: &str, name: &str) -> f64 {
    let start = shape.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
    shape[start..].split('"').next().unwrap().parse().unwrap()
}

fn corners(shape: &str) -> Vec<(f64, f64)> {
    let points = shape.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let pairs = points.split_whitespace().map(|point| point.split_once(',').unwrap());
    pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
}

/// The middles of all dots.
fn dots(svg: &str) -> Vec<(f64, f64)> {
    shapes(svg, "<circle", "").into_iter().map(|dot| (attribute(dot, "cx"), attribute(dot, "cy"))).collect()
}

fn unit_chart() -> Chart {
    Chart::new().x_range(0.0..1.0).y_range(0.0..1.0)
}

#[test]
fn an_area_is_light_and_lies_between_its_curves_below_all_lines() -> Result {
    let chart = unit_chart().unlabeled_line(&[0.0, 1.0], &[0.9, 0.9]).area("", &[0, 1], &[0.25; 2], &[0.75; 2]);
    let picture = Picture::decode(&chart.to_png()?)?;
    // A gray line of the grid is as blue as it is red.
    let is_blue = |y: usize| {
        let [red, _, blue] = picture.at(500, y);
        blue.saturating_sub(red) > 20
    };
    assert!(is_blue(picture.height / 2) && !is_blue(120) && !is_blue(560));
    assert!(picture.at(500, picture.height / 2)[0] > 150, "light");
    let svg = chart.to_svg()?;
    assert!(svg.find("<polygon").unwrap() < svg.find(&format!("stroke=\"{BLUE}\"")).unwrap(), "{svg}");
    Ok(())
}

#[test]
fn areas_and_bars_have_a_color_each() -> Result {
    let chart = Chart::new().area("", &[0, 1], &[0, 0], &[1, 2]).area("", &[0, 1], &[2, 2], &[3, 4]);
    let svg = chart.bars("", &[0, 1], &[1, 2], 0.5).to_svg()?;
    assert_eq!((shapes(&svg, "<polygon", BLUE).len(), shapes(&svg, "<polygon", ORANGE).len()), (1, 1));
    assert_eq!(shapes(&svg, "<rect", "#2CA02C").len(), 2);
    Ok(())
}

#[test]
fn values_that_are_not_finite_split_an_area() -> Result {
    let parts = |chart: Chart, low: f64, high: f64| -> Result<usize> {
        let chart = chart.area("", &[0, 1, 2, 3, 4], &[1.0, 1.0, low, 1.0, 1.0], &[2.0, 2.0, high, 2.0, 2.0]);
        Ok(shapes(&chart.to_svg()?, "<polygon", BLUE).len())
    };
    assert_eq!(parts(Chart::new(), 1.0, 2.0)?, 1);
    for (low, high) in [(f64::NAN, 2.0), (1.0, f64::NAN), (f64::NEG_INFINITY, 2.0), (1.0, f64::INFINITY)] {
        assert_eq!(parts(Chart::new(), low, high)?, 2, "{low} {high}");
    }
    assert_eq!((parts(Chart::new(), 0.0, 2.0)?, parts(Chart::new().log_y(), 0.0, 2.0)?), (1, 2));
    Ok(())
}

#[test]
fn an_area_is_cut_at_the_frame() -> Result {
    let svg = unit_chart().area("", &[-5.0, 5.0], &[-1e9, -1e9], &[0.5, 1e9]).to_svg()?;
    let areas = shapes(&svg, "<polygon", BLUE);
    assert_eq!(areas.len(), 1);
    let corners = corners(areas[0]);
    assert!(corners.iter().all(|(x, y)| (0.0..4800.0).contains(x) && (0.0..3400.0).contains(y)), "{corners:?}");
    let outside = unit_chart().area("", &[0, 1], &[2, 2], &[3, 3]).to_svg()?;
    assert!(shapes(&outside, "<polygon", BLUE).is_empty());
    Ok(())
}

#[test]
fn bars_stand_on_zero_and_hang_from_it() -> Result {
    let svg = Chart::new().x_range(0.0..4.0).y_range(-2.0..2.0).bars("", &[1, 3], &[1.0, -2.0], 1.0).to_svg()?;
    let bars = shapes(&svg, "<rect", BLUE);
    let [up, down] = bars[..] else { panic!("two bars: {bars:?}") };
    assert!(up.contains("opacity=\"0.4\""), "a curve shows through: {up}");
    let (end, start) = (attribute(up, "y") + attribute(up, "height"), attribute(down, "y"));
    assert!((end - start).abs() <= 1.0, "{end} {start}");
    assert!((2.0 * attribute(up, "height") - attribute(down, "height")).abs() <= 3.0, "{up} {down}");
    // From the middle of one to that of the other are two widths.
    assert!((attribute(down, "x") - attribute(up, "x") - 2.0 * attribute(up, "width")).abs() <= 3.0, "{up} {down}");
    assert_eq!(shapes(&svg, "<polyline", BLUE).len(), 2, "each has an edge");
    Ok(())
}

#[test]
fn the_axes_hold_whole_bars_and_end_at_zero() -> Result {
    let svg = Chart::new().bars("", &[0, 1, 2], &[0.2, 0.4, 0.1], 1.0).to_svg()?;
    let bars = shapes(&svg, "<rect", BLUE);
    let widths: Vec<f64> = bars.iter().map(|bar| attribute(bar, "width")).collect();
    assert!(widths.len() == 3 && widths.iter().all(|width| (width - widths[0]).abs() <= 1.0), "{widths:?}");
    let ends: Vec<f64> = bars.iter().map(|bar| attribute(bar, "y") + attribute(bar, "height")).collect();
    // The frame's lower border.
    assert!(ends.iter().all(|&end| (end - 3130.0).abs() <= 1.0), "{ends:?}");
    assert!(texts(&svg).contains(&"0.4") && !texts(&svg).contains(&"−0.1"), "{:?}", texts(&svg));
    let negative = Chart::new().bars("", &[0, 1], &[-3.0, -1.0], 1.0).to_svg()?;
    assert!(texts(&negative).contains(&"−3.0") && !texts(&negative).contains(&"0.5"), "{:?}", texts(&negative));
    Ok(())
}

#[test]
fn bars_beside_a_histogram_may_be_negative() -> Result {
    let chart = Chart::new().histogram([("", &[0.5, 0.5, 1.5][..])], 2);
    let below = chart.clone().bars("", &[1.0], &[-2.0], 0.5).to_svg()?;
    let above = chart.bars("", &[1.0], &[2.0], 0.5).to_svg()?;
    assert!(texts(&below).contains(&"−2") || texts(&below).contains(&"−2.0"), "{:?}", texts(&below));
    assert!(!texts(&above).iter().any(|text| text.starts_with('−')), "{:?}", texts(&above));
    Ok(())
}

#[test]
fn on_a_logarithmic_axis_bars_and_stems_stand_on_the_frame() -> Result {
    let chart = Chart::new().log_y().y_range(1.0..1000.0);
    let svg = chart.clone().bars("", &[1, 2, 3], &[10.0, 100.0, 0.0], 0.5).to_svg()?;
    let bars = shapes(&svg, "<rect", BLUE);
    let [low, high] = bars[..] else { panic!("zero has no bar: {bars:?}") };
    assert!((2.0 * attribute(low, "height") - attribute(high, "height")).abs() <= 3.0, "{low} {high}");
    let stems = chart.stems("", &[1, 2], &[10.0, 100.0]).to_svg()?;
    let lengths: Vec<f64> =
        shapes(&stems, "<polyline", BLUE).into_iter().map(corners).map(|ends| ends[0].1 - ends[1].1).collect();
    assert!(lengths.len() == 2 && (2.0 * lengths[0] - lengths[1]).abs() <= 3.0, "{lengths:?}");
    // The left side of the first bar has no place on the axis.
    let wide = Chart::new().log_x().x_range(0.1..10.0).bars("", &[0.5, 5.0], &[1, 1], 2.0).to_svg()?;
    assert_eq!(shapes(&wide, "<rect", BLUE).len(), 2);
    Ok(())
}

#[test]
fn stems_reach_from_zero_to_their_dots() -> Result {
    let svg = Chart::new().stems("", &[0, 1, 2], &[0.25, 0.5, -0.25]).to_svg()?;
    let lines: Vec<_> = shapes(&svg, "<polyline", BLUE).into_iter().map(corners).collect();
    let dots = dots(&svg);
    assert_eq!((lines.len(), dots.len()), (3, 3));
    for (line, dot) in lines.iter().zip(&dots) {
        assert_eq!(line[0].1, lines[0][0].1);
        assert!((line[1].0 - dot.0).abs() <= 1.0 && (line[1].1 - dot.1).abs() <= 1.0, "{line:?} {dot:?}");
    }
    let [first, second, third] = [0, 1, 2].map(|i| lines[i][0].1 - dots[i].1);
    assert!((second - 2.0 * first).abs() <= 3.0 && (third + first).abs() <= 3.0, "{first} {second} {third}");
    let beside = Chart::new().line("", &[0, 1], &[0, 1]).stems("", &[0], &[1]).to_svg()?;
    assert_eq!(shapes(&beside, "<circle", ORANGE).len(), 1, "the line has the first color");
    Ok(())
}

#[test]
fn steps_are_level_up_to_the_next_value() -> Result {
    let svg = Chart::new().steps("", &[0, 1, 2, 3, 4], &[0.0, 0.5, 0.5, 1.0, 1.0]).to_svg()?;
    let lines = shapes(&svg, "<polyline", BLUE);
    let (treads, rises): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line| line.contains("stroke-width=\"18\""));
    let treads: Vec<_> = treads.into_iter().map(corners).collect();
    let rises: Vec<_> = rises.into_iter().map(corners).collect();
    // Two equal values make one level; the last value holds as far as its second x.
    assert_eq!((treads.len(), rises.len()), (3, 2));
    assert!(treads.iter().all(|ends| ends[0].1 == ends[1].1), "{treads:?}");
    for (index, rise) in rises.iter().enumerate() {
        assert_eq!((rise[0], rise[1]), (treads[index][1], treads[index + 1][0]));
    }
    let lengths: Vec<f64> = treads.iter().map(|ends| ends[1].0 - ends[0].0).collect();
    assert!((lengths[1] - 2.0 * lengths[0]).abs() <= 3.0 && (lengths[2] - lengths[0]).abs() <= 3.0, "{lengths:?}");
    Ok(())
}

#[test]
fn steps_take_a_line_style_and_many_stay_small() -> Result {
    let chart = Chart::new().line("", &[0, 1], &[0, 1]).steps("", &[0, 1], &[1, 0]).line("", &[0, 1], &[1, 1]);
    let svg = chart.to_svg()?;
    for color in [BLUE, "#BF00BF", "#008000"] {
        assert!(svg.contains(color), "{color}");
    }
    let xs: Vec<f64> = (0..100_000).map(f64::from).collect();
    let svg = Chart::new().steps("noise", &xs, &noise(100_000, 7)).to_svg()?;
    assert!(svg.len() < 60_000, "{}", svg.len());
    let mut sorted = noise(5_000, 8);
    sorted.sort_by(f64::total_cmp);
    let shares: Vec<f64> = (1..=5_000).map(|rank| f64::from(rank) / 5_000.0).collect();
    let svg = Chart::new().steps("empirical", &sorted, &shares).to_svg()?;
    assert!(svg.len() < 60_000, "{}", svg.len());
    Ok(())
}

#[test]
fn one_scale_makes_units_as_long_on_both_axes() -> Result {
    let (xs, ys) = ([1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]);
    for (width, height) in [(480, 340), (300, 500)] {
        let chart = Chart::new().size(width, height).scatter("", &xs, &ys, 4.0);
        let reach = |chart: &Chart| -> Result<(f64, f64)> {
            let dots = dots(&chart.to_svg()?);
            assert_eq!(dots.len(), 4, "all are within the frame");
            Ok((dots[0].0 - dots[1].0, dots[3].1 - dots[2].1))
        };
        let (across, up) = reach(&chart)?;
        assert!((across - up).abs() > 100.0, "{across} {up}");
        let (across, up) = reach(&chart.same_scale())?;
        assert!((across - up).abs() <= 2.0, "{across} {up}");
    }
    // A chosen range is widened about its middle.
    let chart = Chart::new().x_range(0.0..10.0).y_range(2.0..3.0).same_scale();
    let svg = chart.scatter("", &[1.0, 9.0, 5.0, 5.0], &[2.5, 2.5, 2.0, 3.0], 4.0).to_svg()?;
    let dots = dots(&svg);
    assert!(((dots[1].0 - dots[0].0) - 8.0 * (dots[2].1 - dots[3].1)).abs() <= 10.0, "{dots:?}");
    assert!((f64::midpoint(dots[2].1, dots[3].1) - dots[0].1).abs() <= 1.5, "{dots:?}");
    for log in [Chart::new().log_x(), Chart::new().log_y()] {
        let error = log.same_scale().to_svg().unwrap_err().to_string();
        assert!(error.contains("logarithmic"), "{error}");
    }
    Ok(())
}

#[test]
fn wrong_arguments_are_errors_that_name_the_series() {
    let short_lows = Chart::new().area("band", &[1, 2], &[0.0], &[1.0, 2.0]).to_svg().unwrap_err();
    let long_highs = Chart::new().area("band", &[1, 2], &[0.0, 0.0], &[1.0; 3]).to_svg().unwrap_err();
    for (error, count) in [(short_lows, 1), (long_highs, 3)] {
        assert!(
            matches!(&error, PlotError::Lengths { series, xs: 2, ys } if series == "band" && *ys == count),
            "{error}"
        );
    }
    for chart in [
        Chart::new().bars("", &[1, 2], &[1.0], 0.5),
        Chart::new().stems("", &[1, 2], &[1.0]),
        Chart::new().steps("", &[1, 2], &[1.0]),
    ] {
        let error = chart.to_svg().unwrap_err();
        assert!(matches!(&error, PlotError::Lengths { series, xs: 2, ys: 1 } if series == "number 1"), "{error}");
        assert!(plot::terminal(&chart).is_err());
    }
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Chart::new().bars("slices", &[1], &[1.0], width).to_svg().unwrap_err().to_string();
        assert!(error.contains("slices") && error.contains("width"), "{error}");
    }
}

#[test]
fn odd_values_draw() -> Result {
    let nothing: [f64; 0] = [];
    let odd: [&[f64]; 9] = [
        &nothing,
        &[1.0],
        &[3.0, 3.0, 3.0],
        &[0.0, 0.0],
        &[f64::NAN, f64::NAN],
        &[1e-320, 2e-320],
        &[-1e308, 1e308],
        &[1e299, -1e299],
        &[1.0, 1.0 + f64::EPSILON],
    ];
    for values in odd {
        let charts = [Chart::new(), Chart::new().log_x().log_y(), unit_chart(), Chart::new().same_scale()];
        for chart in charts {
            for chart in [
                chart.clone().area("odd", values, &vec![0.0; values.len()], values),
                chart.clone().bars("odd", values, values, 0.5),
                chart.clone().stems("odd", values, values),
                chart.clone().steps("odd", values, values),
            ] {
                let svg = chart.to_svg()?;
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}");
                assert!(texts(&svg).len() > 3, "{values:?} has ticks: {:?}", texts(&svg));
                plot::terminal(&chart)?;
            }
        }
    }
    Ok(())
}

#[test]
fn the_legend_has_a_key_for_each_mark() -> Result {
    let (xs, ys) = ([0.0, 1.0, 2.0], [0.5, 1.0, 0.25]);
    let draw = |label: &str| {
        [
            Chart::new().area(label, &xs, &[0.0; 3], &ys),
            Chart::new().bars(label, &xs, &ys, 1.0),
            Chart::new().stems(label, &xs, &ys),
            Chart::new().steps(label, &xs, &ys),
        ]
    };
    for (named, unnamed) in draw("series").iter().zip(&draw("")) {
        let (named, unnamed) = (named.to_svg()?, unnamed.to_svg()?);
        assert!(texts(&named).contains(&"series") && !texts(&unnamed).contains(&""), "{:?}", texts(&named));
        assert!(named.matches(BLUE).count() > unnamed.matches(BLUE).count(), "{named}");
    }
    Ok(())
}

#[test]
fn a_legend_keeps_off_an_area() -> Result {
    // Only the lower right quarter is empty.
    let chart = unit_chart().area("key", &[0.0, 0.5, 0.5, 1.0], &[0.0, 0.0, 0.5, 0.5], &[1.0; 4]);
    let svg = chart.to_svg()?;
    let text = svg.split("<text").find(|text| text.contains("key")).unwrap();
    assert!(attribute(text, "x") > 2500.0 && attribute(text, "y") > 1700.0, "{text}");
    Ok(())
}

#[test]
fn the_terminal_shows_steps_and_leaves_areas_out() -> Result {
    let chart = unit_chart().steps("up", &[0.0, 0.5, 1.0], &[0.0, 1.0, 1.0]).area("band", &[0, 1], &[0, 0], &[1, 1]);
    let text = plot::terminal(&chart)?;
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[14].contains("│••••••••") && rows[0].ends_with("••••••••"), "{text}");
    assert!(text.contains("• up") && !text.contains("band"), "{text}");
    Ok(())
}

#[test]
fn a_surface_beside_another_has_its_own_color() -> Result {
    let svg = surfaces().to_svg()?;
    assert_eq!((shapes(&svg, "<polyline", BLUE).len(), shapes(&svg, "<polyline", ORANGE).len()), (42, 42));
    let filled = surfaces().filled().to_svg()?;
    assert_eq!((shapes(&filled, "<polygon", "").len(), shapes(&filled, "<polyline", ORANGE).len()), (400, 400));
    Ok(())
}
