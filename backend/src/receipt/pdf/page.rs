//! Sheets of paper, written from top to bottom; a new one when one is full.

use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use super::width;

/// A5 in points.
const WIDTH: f32 = 420.0;
const HEIGHT: f32 = 595.0;
const MARGIN: f32 = 40.0;

/// From line to line, in sizes of the letters.
const LEADING: f32 = 1.3;

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Plain,
    Bold,
    Grey,
}

impl Face {
    const fn font(self) -> Name<'static> {
        match self {
            Self::Plain | Self::Grey => Name(b"F1"),
            Self::Bold => Name(b"F2"),
        }
    }

    const fn grey(self) -> f32 {
        match self {
            Self::Plain | Self::Bold => 0.0,
            Self::Grey => 0.4,
        }
    }
}

/// The sheets.
pub(super) struct Sheets {
    title: String,
    full: Vec<Content>,
    content: Content,
    /// Where the last line stands, from the bottom.
    y: f32,
}

impl Sheets {
    pub(super) fn new(title: &str) -> Self {
        Self { title: title.into(), full: Vec::new(), content: Content::new(), y: HEIGHT - MARGIN }
    }

    /// A new sheet unless this one has so much room.
    pub(super) fn keep_together(&mut self, height: f32) {
        if self.y - height < MARGIN {
            self.full.push(std::mem::replace(&mut self.content, Content::new()));
            self.y = HEIGHT - MARGIN;
        }
    }

    pub(super) const fn space(&mut self, height: f32) {
        self.y -= height;
    }

    /// A line across.
    pub(super) fn rule(&mut self) {
        self.keep_together(8.0);
        self.content.set_line_width(0.5).set_stroke_gray(0.6);
        self.content.move_to(MARGIN, self.y).line_to(WIDTH - MARGIN, self.y).stroke();
        self.y -= 6.0;
    }

    /// A text over the width but for so much at the right.
    pub(super) fn paragraph(&mut self, text: &str, face: Face, size: f32, less: f32) {
        for line in wrapped(text, face, size, WIDTH - 2.0 * MARGIN - less) {
            self.advance(size);
            self.show(&line, face, size, MARGIN);
        }
    }

    /// A title at the left, and an amount at the right of its last line.
    pub(super) fn priced(&mut self, title: &str, amount: &str, face: Face, size: f32, less: f32) {
        self.paragraph(title, face, size, less);
        let amount = latin(amount);
        let x = WIDTH - MARGIN - width::of(&amount, face, size);
        self.show(&amount, face, size, x);
    }

    /// A name at the left and its value beside it.
    pub(super) fn pair(
        &mut self,
        (name, name_face): (&str, Face),
        (value, value_face): (&str, Face),
        size: f32,
        values: f32,
    ) {
        let lines = wrapped(value, value_face, size, WIDTH - 2.0 * MARGIN - values);
        for (place, line) in lines.iter().enumerate() {
            self.advance(size);
            if place == 0 {
                self.show(&latin(name), name_face, size, MARGIN);
            }
            self.show(line, value_face, size, MARGIN + values);
        }
    }

    fn advance(&mut self, size: f32) {
        self.keep_together(size * LEADING);
        self.y -= size * LEADING;
    }

    fn show(&mut self, text: &[u8], face: Face, size: f32, x: f32) {
        self.content.set_fill_gray(face.grey());
        self.content.begin_text().set_font(face.font(), size);
        self.content.next_line(x, self.y).show(Str(text)).end_text();
    }

    /// The file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.full.push(self.content);
        let [catalog, tree, info, plain, bold] = [1, 2, 3, 4, 5].map(Ref::new);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr("en-IN"));
        pdf.document_info(info).title(TextStr(&self.title)).producer(TextStr("Tripline"));
        for (font, name) in [(plain, &b"Helvetica"[..]), (bold, b"Helvetica-Bold")] {
            pdf.type1_font(font)
                .base_font(Name(name))
                .encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        let mut next = 6;
        let mut kids = Vec::new();
        for content in self.full {
            let (page, stream) = (Ref::new(next), Ref::new(next + 1));
            next += 2;
            kids.push(page);
            let mut sheet = pdf.page(page);
            sheet.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(stream);
            sheet.resources().fonts().pair(Name(b"F1"), plain).pair(Name(b"F2"), bold);
            sheet.finish();
            pdf.stream(stream, &content.finish());
        }
        let count = i32::try_from(kids.len()).unwrap_or(i32::MAX);
        pdf.pages(tree).kids(kids).count(count);
        pdf.finish()
    }
}

/// A text in the letters the font has (Windows-1252 as far as it is Latin-1); the others are question marks.
fn latin(text: &str) -> Vec<u8> {
    let letter = |letter: char| match u8::try_from(u32::from(letter)) {
        Ok(byte @ (0x20..=0x7e | 0xa0..=0xff)) => byte,
        Ok(_) | Err(_) => b'?',
    };
    text.chars().map(letter).collect()
}

/// Words in lines of at most so many points; a longer word is cut. At least one line.
fn wrapped(text: &str, face: Face, size: f32, most: f32) -> Vec<Vec<u8>> {
    let fits = |line: &[u8]| width::of(line, face, size) <= most;
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    for word in text.split_whitespace().map(latin) {
        let Some(line) = lines.last_mut() else { continue };
        let mut longer = line.clone();
        if !longer.is_empty() {
            longer.push(b' ');
        }
        longer.extend(&word);
        if fits(&longer) {
            *line = longer;
            continue;
        }
        let mut part = Vec::new();
        for letter in word {
            part.push(letter);
            if !fits(&part) {
                part.pop();
                lines.push(std::mem::replace(&mut part, vec![letter]));
            }
        }
        lines.push(part);
        lines.retain(|line| !line.is_empty());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_it_may_be_and_no_letter_is_lost() {
        let text = "Indiranagar 100 Feet Road Extraordinarilylongwordwithoutanyblanks, Bengaluru";
        for most in [20.0, 60.0, 200.0] {
            let lines = wrapped(text, Face::Plain, 9.0, most);
            assert!(lines.iter().all(|line| width::of(line, Face::Plain, 9.0) <= most));
            let letters = |text: &[u8]| text.iter().filter(|it| **it != b' ').count();
            assert_eq!(letters(&lines.concat()), letters(text.as_bytes()));
        }
    }

    #[test]
    fn letters_that_the_font_lacks_are_question_marks() {
        assert_eq!(latin("Café ಬೆ"), b"Caf\xe9 ??");
    }
}
