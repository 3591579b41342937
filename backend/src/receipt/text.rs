//! A receipt in 42 columns, as wide as a printer in a vehicle.

use super::Receipt;

/// Columns.
const WIDTH: usize = 42;

/// Columns of the names of details.
const NAMES: usize = 10;

pub(super) fn of(receipt: &Receipt) -> String {
    let mut lines = Vec::new();
    lines.extend(wrapped(&receipt.provider, WIDTH).iter().map(|line| centred(line)));
    lines.push(centred("Ride receipt"));
    lines.push("=".repeat(WIDTH));
    lines.push(format!("No. {}", receipt.number));
    for (name, value) in &receipt.details {
        for (place, part) in wrapped(value, WIDTH - NAMES).iter().enumerate() {
            let name = if place == 0 { name } else { "" };
            lines.push(format!("{name:<NAMES$}{part}"));
        }
    }
    lines.push("-".repeat(WIDTH));
    for line in &receipt.lines {
        lines.extend(priced(&line.title, &line.amount_paise.to_string()));
        lines.extend(wrapped(&line.formula, WIDTH - 2).iter().map(|part| format!("  {part}")));
    }
    lines.push("=".repeat(WIDTH));
    lines.extend(priced("TOTAL Rs", &receipt.total.to_string()));
    lines.push("=".repeat(WIDTH));
    lines.extend(wrapped(&receipt.payment, WIDTH));
    for note in &receipt.notes {
        lines.push(String::new());
        lines.extend(wrapped(note, WIDTH));
    }
    let mut text = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

fn centred(text: &str) -> String {
    format!("{text:^WIDTH$}")
}

/// A title at the left and its amount at the right of its last line.
fn priced(title: &str, amount: &str) -> Vec<String> {
    let width = WIDTH.saturating_sub(amount.len() + 1);
    let mut lines = wrapped(title, width);
    if let Some(last) = lines.last_mut() {
        *last = format!("{last:<width$} {amount}");
    }
    lines
}

/// Words in lines of at most so many characters; a longer word is cut. At least one line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut len = 0;
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let gap = usize::from(len > 0);
            if len > 0 && len + gap + rest.len() > width {
                lines.push(String::new());
                len = 0;
                continue;
            }
            let part: String = rest.drain(..rest.len().min(width)).collect();
            let line = lines.last_mut().expect("never empty");
            if gap == 1 {
                line.push(' ');
            }
            len += gap + part.chars().count();
            line.push_str(&part);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_longer_ones_are_cut() {
        assert_eq!(wrapped("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("a bbbbbbbbb c", 4), ["a", "bbbb", "bbbb", "b c"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(priced("a long title", "1.00"), [format!("{:<37} 1.00", "a long title")]);
    }
}
