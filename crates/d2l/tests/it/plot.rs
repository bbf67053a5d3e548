//! Figures: what they say when asked wrongly, what they draw, and to the pixel where that matters.

use std::path::Path;

use candle_core::{Device, Tensor};
use d2l::plot::{self, Chart, Figure, HeatMaps, Image, ImageGrid, Panels, PlotError};

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const BLUE: [u8; 3] = [0x1f, 0x77, 0xb4];

pub struct Picture {
    pub width: usize,
    pub height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    pub fn decode(png: &[u8]) -> Result<Self> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info()?;
        let mut pixels = vec![0; reader.output_buffer_size().unwrap_or_default()];
        let info = reader.next_frame(&mut pixels)?;
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Ok(Self { width: info.width as usize, height: info.height as usize, pixels })
    }

    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let first = (y * self.width + x) * 3;
        [self.pixels[first], self.pixels[first + 1], self.pixels[first + 2]]
    }

    fn count(&self, color: [u8; 3]) -> usize {
        self.pixels.chunks_exact(3).filter(|pixel| *pixel == color).count()
    }
}

/// The texts of an SVG, in the order of drawing.
pub fn texts(svg: &str) -> Vec<&str> {
    svg.split("<text").skip(1).map(|text| text[text.find('>').unwrap() + 1..text.find("</").unwrap()].trim()).collect()
}

fn training_curve() -> Chart {
    let epochs: Vec<u32> = (1..=10).collect();
    let fall = |from: f64, to: f64| epochs.iter().map(|&e| to + (from - to) / f64::from(e)).collect::<Vec<_>>();
    Chart::new()
        .x_label("epoch")
        .x_range(1.0..10.0)
        .y_range(0.3..0.9)
        .line("train loss", &epochs, &fall(0.79, 0.41))
        .line("train acc", &epochs, &fall(0.75, 0.86))
        .line("test acc", &epochs, &fall(0.73, 0.83))
}

fn normal_densities() -> Chart {
    let xs: Vec<f64> = (-700..700).map(|i| f64::from(i) / 100.0).collect();
    let density = |mean: f64, std: f64| -> Vec<f64> {
        let scale = 1.0 / (std * std::f64::consts::TAU.sqrt());
        xs.iter().map(|x| scale * (-0.5 * ((x - mean) / std).powi(2)).exp()).collect()
    };
    let lines = [(0.0, 1.0), (0.0, 2.0), (3.0, 1.0), (-2.0, 0.7)].map(|(mean, std)| (mean, std, density(mean, std)));
    plot::plot(&xs, lines.iter().map(|(mean, std, ys)| (format!("mean {mean}, std {std}"), &ys[..])))
        .x_label("x")
        .y_label("p(x)")
}

/// Numbers between 0 and 1 that look random and are the same at each run.
pub fn noise(count: usize, start: u64) -> Vec<f64> {
    let mut state = start;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count).map(|_| next()).collect()
}

fn scatter() -> Chart {
    let xs: Vec<f64> = noise(4000, 1).chunks(4).map(|c| c.iter().sum::<f64>() * 1.7 - 3.4).collect();
    let ys: Vec<f64> = xs.iter().zip(noise(1000, 2)).map(|(x, e)| 4.2 - 3.4 * x + e).collect();
    Chart::new().x_label("feature").y_label("label").scatter("", &xs, &ys, 3.0)
}

fn histogram() -> Chart {
    let lengths = |start: u64, factor: f64| -> Vec<f64> {
        noise(20_000, start).chunks(2).map(|c| (8.0 + factor * 30.0 * c[0] * c[1]).round()).collect()
    };
    let (source, target) = (lengths(3, 1.0), lengths(4, 1.3));
    Chart::new()
        .x_label("tokens per sequence")
        .y_label("count")
        .histogram([("source", &source[..]), ("target", &target)], 10)
}

fn garment(seed: u64) -> Image {
    let noise = noise(784, seed);
    let pixels = (0..784).map(|i| {
        let (row, column) = (i / 28, i % 28);
        let inside = (4..24).contains(&row) && (6 + seed as usize % 4..22).contains(&column);
        if inside { (90.0 + 160.0 * noise[i]) as u8 } else { 0 }
    });
    Image::new(28, 28, 1, pixels.collect()).unwrap()
}

fn image_grid() -> ImageGrid {
    let names = ["ankle boot", "pullover", "trouser", "trouser", "shirt", "trouser", "coat", "shirt", "sandal"];
    let predicted = ["ankle boot", "pullover", "trouser", "trouser", "coat", "trouser", "coat", "shirt", "sneaker"];
    ImageGrid::new(9, (0..18).map(garment)).predictions(&[names, names].concat(), &[predicted, predicted].concat())
}

fn heat_maps(panel_rows: usize, panel_columns: usize, rows: usize, columns: usize) -> Result<HeatMaps> {
    let values = noise(panel_rows * panel_columns * rows * columns, 9);
    let tensor = Tensor::from_vec(values, (panel_rows, panel_columns, rows, columns), &Device::Cpu)?;
    Ok(HeatMaps::new(&tensor)?.x_label("Keys").y_label("Queries"))
}

fn attention_words() -> Result<HeatMaps> {
    let words = ["he", "is", "very", "calm", ".", "<eos>"];
    Ok(heat_maps(1, 1, 6, 6)?.x_words(words).y_words(words))
}

fn heat_map_panels() -> Result<HeatMaps> {
    Ok(heat_maps(2, 4, 8, 10)?.titles((1..=8).map(|head| format!("Head {head}"))))
}

fn panels() -> Panels {
    Panels::new(2, [training_curve().title("Fashion-MNIST"), normal_densities().title("Normal densities")])
}

fn log_log() -> Chart {
    let xs: Vec<f64> = (0..50).map(|i| 10_f64.powf(f64::from(i) / 10.0)).collect();
    let ys: Vec<f64> = xs.iter().map(|x| 3.0 / (x * x.sqrt())).collect();
    let slower: Vec<f64> = xs.iter().map(|x| 1.0 / x.sqrt()).collect();
    Chart::new().x_label("step").y_label("error").log_x().log_y().line("fast", &xs, &ys).line("slow", &xs, &slower)
}

fn eight_lines() -> Chart {
    let xs: Vec<f64> = (0..100).map(|i| f64::from(i) * 1e4).collect();
    (1..=8).fold(
        Chart::new().x_label("step").y_label("loss").title("Eight lines").note("sample data"),
        |chart, line| {
            let ys: Vec<f64> = xs.iter().map(|x| f64::from(line) * 1e-6 * (x / 1e5).sin()).collect();
            chart.line(format!("line {line}"), &xs, &ys)
        },
    )
}

fn references() -> Chart {
    let xs: Vec<f64> = (0..60).map(|i| f64::from(i) / 10.0).collect();
    let mut ys: Vec<f64> = xs.iter().map(|x| x.sin()).collect();
    ys[20..25].fill(f64::NAN);
    Chart::new().size(360, 240).line("sin x", &xs, &ys).horizontal(0.0).vertical(std::f64::consts::PI)
}

/// Writes every kind of figure into the folder that `D2L_PLOT_GALLERY` names, for a look at them.
#[test]
fn gallery() -> Result {
    let folder = std::env::var_os("D2L_PLOT_GALLERY");
    let temporary = tempfile::tempdir()?;
    let folder = folder.as_deref().map_or(temporary.path(), Path::new);
    save(&training_curve(), folder, "training_curve")?;
    save(&normal_densities(), folder, "normal_densities")?;
    save(&scatter(), folder, "scatter")?;
    save(&histogram(), folder, "histogram")?;
    save(&image_grid().note("sample data"), folder, "image_grid")?;
    save(&heat_map_panels()?, folder, "heat_maps")?;
    save(&attention_words()?, folder, "attention_words")?;
    save(&panels(), folder, "panels")?;
    save(&log_log(), folder, "log_log")?;
    save(&eight_lines(), folder, "eight_lines")?;
    save(&references(), folder, "references")?;
    save(&crate::plot_marks::all(), folder, "marks")?;
    save(&crate::plot_marks::surfaces(), folder, "surfaces")?;
    std::fs::write(folder.join("terminal.txt"), plot::terminal(&training_curve())?)?;
    Ok(())
}

fn save(figure: &impl Figure, folder: &Path, name: &str) -> Result {
    let (svg_path, png_path) = (folder.join(name).with_extension("svg"), folder.join(name).with_extension("png"));
    figure.save(&svg_path)?;
    figure.save(&png_path)?;
    let svg = std::fs::read_to_string(&svg_path)?;
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name} is a whole SVG document");
    assert!(svg.len() < 600_000, "{name}: {} bytes", svg.len());
    let picture = Picture::decode(&std::fs::read(&png_path)?)?;
    let size = format!("<svg width=\"{}\" height=\"{}\"", picture.width / 2, picture.height / 2);
    assert!(svg.starts_with(&size), "{name}: PNG has two pixels to a CSS pixel");
    let white = picture.count([255; 3]);
    assert!(white > 0 && white < picture.width * picture.height, "{name} is neither blank nor full");
    // Nothing is cut off: the figure's border is empty.
    let edge = (0..picture.width).flat_map(|x| [(x, 0), (x, picture.height - 1)]);
    let edge = edge.chain((0..picture.height).flat_map(|y| [(0, y), (picture.width - 1, y)]));
    for (x, y) in edge {
        assert_eq!(picture.at(x, y), [255; 3], "{name} touches its border at {x}, {y}");
    }
    Ok(())
}

#[test]
fn lengths_must_agree() {
    let error = Chart::new().line("loss", &[1, 2, 3], &[0.5, 0.4]).to_svg().unwrap_err();
    assert!(matches!(&error, PlotError::Lengths { series, xs: 3, ys: 2 } if series == "loss"), "{error}");
    let error = Chart::new().unlabeled_line(&[1], &[0.5, 0.4]).to_svg().unwrap_err();
    assert!(error.to_string().contains("number 1"), "{error}");
}

#[test]
fn ranges_must_rise() {
    for (low, high) in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::INFINITY), (f64::NAN, 1.0)] {
        let error = Chart::new().y_range(low..high).to_svg().unwrap_err();
        assert!(error.to_string().starts_with("y axis"), "{error}");
    }
    assert!(Chart::new().log_x().x_range(0.0..1.0).to_svg().is_err());
}

#[test]
fn files_that_cannot_be_written_are_named() {
    let unknown = training_curve().save("figure.jpeg").unwrap_err().to_string();
    assert!(unknown.contains("figure.jpeg") && unknown.contains(".png"), "{unknown}");
    let missing = training_curve().save("no/such/folder/figure.svg").unwrap_err().to_string();
    assert!(missing.contains("no/such/folder/figure.svg"), "{missing}");
}

#[test]
fn saving_leaves_nothing_but_the_figure() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("figure.svg");
    training_curve().save(&path)?;
    training_curve().title("again").save(&path)?;
    assert!(std::fs::read_to_string(&path)?.contains("again"));
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn a_line_has_its_colour_where_its_values_are() -> Result {
    let chart = Chart::new().x_range(0.0..1.0).y_range(0.0..1.0).unlabeled_line(&[0.0, 1.0], &[0.5, 0.5]);
    let picture = Picture::decode(&chart.to_png()?)?;
    assert_eq!((picture.width, picture.height), (960, 680));
    let rows: Vec<usize> = (0..680).filter(|&y| picture.at(500, y) == BLUE).collect();
    assert!(rows.len() >= 2 && rows.iter().all(|y| (290..350).contains(y)), "{rows:?}");
    // From frame to frame, without a hole.
    let columns = (0..960).filter(|&x| picture.at(x, rows[0]) == BLUE).count();
    assert!(columns > 820, "{columns}");
    Ok(())
}

#[test]
fn values_that_are_not_finite_are_gaps() -> Result {
    let with = |middle: f64| Chart::new().y_range(0.0..1.0).line("", &[0, 1, 2, 3, 4], &[0.5, 0.5, middle, 0.5, 0.5]);
    let strokes = |chart: Chart| -> Result<usize> { Ok(chart.to_svg()?.matches("#1F77B4").count()) };
    let whole = strokes(with(0.5))?;
    for missing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
        assert_eq!(strokes(with(missing))?, whole + 1);
    }
    assert_eq!(strokes(with(-1.0).log_y().y_range(0.1..1.0))?, whole + 1);
    Ok(())
}

#[test]
fn every_odd_series_draws() -> Result {
    let nothing: [f64; 0] = [];
    let odd: [&[f64]; 10] = [
        &nothing,
        &[1.0],
        &[3.0, 3.0, 3.0],
        &[0.0, 0.0],
        &[f64::NAN, f64::NAN],
        &[1e-320, 2e-320],
        &[-1e308, 1e308],
        &[1e-12, 3e-12],
        &[1e299, -1e299],
        &[1.0, 1.0 + f64::EPSILON],
    ];
    for values in odd {
        for chart in [Chart::new(), Chart::new().log_x().log_y()] {
            let chart = chart.line("odd", values, values).scatter("", values, values, 2.0);
            let svg = chart.histogram([("odd", values)], 3).to_svg()?;
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}");
            assert!(texts(&svg).len() > 3, "{values:?} has ticks: {:?}", texts(&svg));
        }
        plot::terminal(&Chart::new().line("odd", values, values))?;
    }
    Ok(())
}

#[test]
fn ticks_are_round_numbers() -> Result {
    let x_ticks = |chart: Chart| -> Result<Vec<String>> {
        let svg = chart.y_range(5.0..5.5).to_svg()?;
        let texts = texts(&svg).into_iter().map(str::to_owned);
        Ok(texts.take_while(|text| !text.starts_with("5.0")).collect())
    };
    let range = |low: f64, high: f64| x_ticks(Chart::new().x_range(low..high));
    assert_eq!(range(0.0, 0.6)?, ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]);
    assert_eq!(range(-1.0, 1.0)?, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
    assert_eq!(range(0.0, 1e6)?, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    assert_eq!(range(1.0, 10.0)?, ["2", "4", "6", "8", "10"]);
    assert_eq!(x_ticks(Chart::new().whole_x().x_range(1.0..3.0))?, ["1", "2", "3"]);
    assert_eq!(x_ticks(Chart::new().unlabeled_line(&[1, 2, 3], &[5.1, 5.2, 5.3]))?, ["1", "2", "3"]);
    assert_eq!(x_ticks(Chart::new().log_x().x_range(0.001..10.0))?, ["10⁻³", "10⁻²", "10⁻¹", "10⁰", "10¹"]);
    assert_eq!(x_ticks(Chart::new().log_x().x_range(0.1..1.0))?, ["0.1", "0.2", "0.5", "1"]);
    assert!(
        x_ticks(Chart::new().x_range(0.0..1e6))?.len() == 6
            && Chart::new().x_range(0.0..1e6).to_svg()?.contains("×10⁶")
    );
    Ok(())
}

#[test]
fn the_legend_keeps_off_the_data() -> Result {
    // Everything but the lower right corner is full.
    let chart = Chart::new().x_range(0.0..10.0).y_range(0.0..10.0);
    let chart = (0..10).fold(chart, |chart, level| {
        let end = if level < 4 { 5.0 } else { 10.0 };
        chart.unlabeled_line(&[0.0, end], &[level, level])
    });
    let svg = chart.line("key", &[0.0, 0.1], &[9.0, 9.0]).to_svg()?;
    let text = svg.split("<text").find(|text| text.contains("key")).unwrap();
    let coordinate = |name: &str| -> f64 {
        let start = text.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
        text[start..].split('"').next().unwrap().parse().unwrap()
    };
    assert!(coordinate("x") > 2500.0 && coordinate("y") > 2000.0, "x {}, y {}", coordinate("x"), coordinate("y"));
    Ok(())
}

#[test]
fn a_legend_that_would_hide_the_data_everywhere_stands_above_the_frame() -> Result {
    let full = |keys: usize| {
        let chart = Chart::new().y_range(0.0..20.0).title("title");
        let chart = (0..40).fold(chart, |chart, level| chart.unlabeled_line(&[0, 10], &[f64::from(level) / 2.0; 2]));
        (0..keys).fold(chart, |chart, key| chart.line(format!("key {key}"), &[0, 10], &[5, 5]))
    };
    let text_y = |svg: &str, word: &str| -> f64 {
        let is_word = |text: &&str| text.lines().any(|line| line.trim() == word);
        let text = svg.split("<text").find(is_word).unwrap_or_else(|| panic!("{word} in {svg}"));
        let start = text.find(" y=\"").unwrap() + 4;
        text[start..].split('"').next().unwrap().parse().unwrap()
    };
    let svg = full(7).to_svg()?;
    let keys: Vec<f64> = (0..7).map(|key| text_y(&svg, &format!("key {key}"))).collect();
    let highest_tick = text_y(&svg, "20");
    // In rows between the title and the frame, in order.
    assert!(keys.is_sorted() && keys[0] > text_y(&svg, "title") && keys[6] < highest_tick, "{keys:?} {highest_tick}");
    assert!(text_y(&full(0).to_svg()?, "20") < highest_tick);
    Ok(())
}

#[test]
fn points_beside_lines_have_another_color_than_the_first_line() -> Result {
    let (line, second) = ("#1F77B4", "#FF7F0E");
    let chart = Chart::new().scatter("points", &[1, 2], &[1, 2], 4.0);
    assert!(chart.to_svg()?.contains(line));
    let svg = chart.line("line", &[1, 2], &[2, 1]).to_svg()?;
    let dots: Vec<&str> = svg.split("<circle").skip(1).filter_map(|dot| dot.split("/>").next()).collect();
    assert!(!dots.is_empty() && dots.iter().all(|dot| dot.contains(second) && !dot.contains(line)), "{svg}");
    Ok(())
}

#[test]
fn svg_text_is_text_in_a_font_of_browsers() -> Result {
    let svg = training_curve().title("a < b & c").to_svg()?;
    assert!(svg.contains("font-family=\"DejaVu Sans, Verdana, Geneva, sans-serif\""));
    assert!(svg.contains("viewBox=\"0 0 4800 3400\"") && svg.contains("a &lt; b &amp; c"));
    assert!(texts(&svg).contains(&"train loss"));
    Ok(())
}

#[test]
fn long_curves_stay_small() -> Result {
    let xs: Vec<f64> = (0..200_000).map(f64::from).collect();
    let svg = Chart::new().line("noise", &xs, &noise(200_000, 5)).to_svg()?;
    assert!(svg.len() < 60_000, "{}", svg.len());
    Ok(())
}

#[test]
fn histograms_count_every_value_once() -> Result {
    let values = [0.0, 0.5, 1.0, 1.0, 2.0, f64::NAN];
    // Bins 0..1 and 1..2 hold 2 and 3 values: the bars' heights are as 2 to 3.
    let svg = Chart::new().histogram([("", &values[..])], 2).to_svg()?;
    let heights: Vec<f64> = svg
        .lines()
        .filter(|line| line.starts_with("<rect") && line.contains("#1F77B4"))
        .map(|line| line.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!((heights[0] / heights[1] - 2.0 / 3.0).abs() < 0.01, "{heights:?}");
    Ok(())
}

#[test]
fn image_pixels_are_exact() -> Result {
    let pixels: Vec<u8> = (0..60).map(|i| (i * 41 % 256) as u8).collect();
    let image = Image::new(5, 4, 3, pixels.clone())?;
    let picture = Picture::decode(&ImageGrid::new(1, [image]).scale(3).to_png()?)?;
    let side = 6;
    let (left, top) = (picture.width / 2 - 5 * side / 2, picture.height / 2 - 4 * side / 2);
    for (index, color) in pixels.chunks(3).enumerate() {
        for (dx, dy) in [(0, 0), (side - 1, side - 1)] {
            let (x, y) = (left + index % 5 * side + dx, top + index / 5 * side + dy);
            assert_eq!(picture.at(x, y), color, "pixel {index}");
        }
    }
    Ok(())
}

#[test]
fn images_come_from_tensors() -> Result {
    let grey = Tensor::new(&[[0_f32, 0.5, 1.0], [2.0, -1.0, f32::NAN]], &Device::Cpu)?;
    let expected = Image::new(3, 2, 1, vec![0, 128, 255, 255, 0, 0])?;
    assert_eq!(Image::from_tensor(&grey)?, expected);
    assert_eq!(Image::from_tensor(&grey.unsqueeze(0)?)?, expected);
    let rgb = Tensor::from_vec((0..12_u8).collect::<Vec<_>>(), (3, 2, 2), &Device::Cpu)?;
    assert_eq!(Image::from_tensor(&rgb)?, Image::new(2, 2, 3, vec![0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])?);
    assert!(Image::from_tensor(&rgb.unsqueeze(0)?).unwrap_err().to_string().contains("[1, 3, 2, 2]"));
    assert!(Image::new(2, 2, 1, vec![0; 3]).is_err());
    Ok(())
}

#[test]
fn a_wrong_prediction_is_red() -> Result {
    let right = ImageGrid::new(1, [garment(0)]).predictions(&["shirt"], &["shirt"]).to_svg()?;
    let wrong = ImageGrid::new(1, [garment(0)]).predictions(&["shirt"], &["coat"]).to_svg()?;
    assert!(!right.contains("#D61F1F") && wrong.contains("#D61F1F"));
    Ok(())
}

#[test]
fn heat_maps_share_one_scale() -> Result {
    let tensor = Tensor::new(&[[[[0_f32, 10.0]], [[5.0, f32::NAN]]]], &Device::Cpu)?;
    let svg = HeatMaps::new(&tensor)?.to_svg()?;
    for color in ["#FFF5F0", "#67000D", "#FB6A4A", "#CCCCCC"] {
        assert!(svg.contains(color), "{color}");
    }
    assert!(texts(&svg).contains(&"10"), "{:?}", texts(&svg));
    assert!(HeatMaps::new(&Tensor::new(&[1_f32], &Device::Cpu)?).is_err());
    assert!(HeatMaps::new(&tensor)?.x_words(["one"]).to_svg().is_err());
    let constant = Tensor::ones((3, 3), candle_core::DType::F32, &Device::Cpu)?;
    assert!(!HeatMaps::new(&constant)?.to_svg()?.contains("NaN"));
    Ok(())
}

#[test]
fn empty_grids_and_panels_are_errors() {
    assert!(ImageGrid::new(2, []).to_png().is_err());
    assert!(Panels::new(0, [Chart::new()]).to_svg().is_err());
    assert!(Panels::new(1, []).to_svg().is_err());
}

#[test]
fn the_terminal_shows_every_line() -> Result {
    let text = plot::terminal(&training_curve())?;
    assert!(text.contains("• train loss   + train acc   × test acc") && text.contains("epoch"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 70) && text.lines().count() <= 20, "{text}");
    assert!(text.contains("0.9 │") && text.contains("0.3 │") && !text.contains('\u{1b}'), "{text}");
    // On top from the left end to the right.
    let rising = plot::terminal(&Chart::new().x_range(0.0..1.0).y_range(0.0..1.0).line("y", &[0, 1], &[0, 1]))?;
    let rows: Vec<&str> = rising.lines().collect();
    assert!(rows[0].ends_with('•') && rows[14].contains("│•"), "{rising}");
    Ok(())
}

#[test]
fn no_text_keeps_an_svg_from_being_xml() -> Result {
    let label = "a\u{0}b\u{1b}[31mc\u{b}\u{ffff}<&\td\ne";
    let chart = Chart::new().x_label(label).y_label(label).line(label, &[1, 2], &[1.0, 2.0]).with_note(label);
    let svg = chart.to_svg()?;
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    assert!(svg.chars().all(allowed), "{svg:?}");
    let shown = "a\u{fffd}b\u{fffd}[31mc\u{fffd}\u{fffd}&lt;&amp; d e";
    assert_eq!(
        texts(&svg).into_iter().filter(|text| *text == shown).count(),
        4,
        "axes, legend and note: {:?}",
        texts(&svg)
    );
    Ok(())
}

#[test]
fn boxes_are_cut_at_the_image_and_tags_hide_nothing_of_them() -> Result<()> {
    let gray = Image::new(60, 60, 1, vec![128; 3600])?;
    let marked = |corners, label: &str| plot::Marking { corners, label: label.to_owned(), color: 1 };
    let drawn = |boxes| -> Result<Picture> {
        Picture::decode(&ImageGrid::new(1, [gray.clone()]).scale(1).boxes([boxes]).to_png()?)
    };
    let red = [0xe0, 0x20, 0x20];
    // Below the tag, inside the frame: pixels are two to one of the image's, and the image begins 8 from the corner.
    let tagged = drawn(vec![marked([20.0, 30.0, 40.0, 50.0], "0.9")])?;
    assert_eq!(tagged.at(2 * (8 + 30), 2 * (8 + 40)), [128, 128, 128]);
    assert_eq!(tagged.at(2 * (8 + 30), 2 * (8 + 50)), red);
    assert_eq!(tagged.at(2 * (8 + 21), 2 * (8 + 17)), red, "the tag stands above");
    let plain = drawn(vec![marked([20.0, 30.0, 40.0, 50.0], "")])?;
    assert!(plain.count(red) < tagged.count(red));
    // Of a box around the whole image nothing is left to draw; of one that is half outside, the sides within.
    assert_eq!(drawn(vec![marked([-9.0, -9.0, 99.0, 99.0], "")])?.count(red), 0);
    let half = drawn(vec![marked([30.0, 30.0, 99.0, 99.0], "")])?;
    assert_eq!((half.at(2 * (8 + 45), 2 * (8 + 30)), half.at(2 * (8 + 45), 2 * (8 + 45))), (red, [128, 128, 128]));
    Ok(())
}
