use super::*;

fn field(id: &str, kind: FieldKind) -> Field {
    Field {
        id: id.into(),
        label: format!("The {id}"),
        kind,
        required: false,
        length_max: kind.length_default(),
        options: Vec::new(),
    }
}

fn form(fields: Vec<Field>) -> Form {
    Form {
        id: "traveller".parse().expect("an id"),
        title: "Who travels?".into(),
        required: true,
        fields,
    }
}

fn sent(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Of one field of this kind: what an answer becomes, or why it will not do.
fn one(kind: FieldKind, value: &str) -> Result<String, WrongKind> {
    let mut asked = field("it", kind);
    if kind == FieldKind::Choice {
        asked.options = vec!["Window".into(), "Aisle & door".into()];
    }
    let form = form(vec![asked]).checked().expect("a form");
    match form.answers(&sent(&[("it", value)])) {
        Ok(answers) => Ok(answers.into_iter().map(|answer| answer.value).collect()),
        Err(mut wrong) => Err(wrong.remove(0).kind),
    }
}

#[test]
fn an_answer_is_what_its_field_asks_for() {
    for (kind, value, is) in [
        (FieldKind::Text, "  Asha <K> & \"co\" ", "Asha <K> & \"co\""),
        (FieldKind::Text, "\u{906}\u{936}\u{93e}", "\u{906}\u{936}\u{93e}"),
        (FieldKind::Text, " \t\r\n", ""),
        (FieldKind::LongText, "one\r\ntwo\rthree\n", "one\ntwo\nthree"),
        (FieldKind::Number, "-12.50", "-12.50"),
        (FieldKind::Number, "0", "0"),
        (FieldKind::Date, "2028-02-29", "2028-02-29"),
        (FieldKind::Email, "asha.k+ride@mail.example.co", "asha.k+ride@mail.example.co"),
        (FieldKind::Phone, "+91 (98) 0000-0000", "+91 (98) 0000-0000"),
        (FieldKind::Choice, "Aisle & door", "Aisle & door"),
    ] {
        assert_eq!(one(kind, value), Ok(is.to_owned()), "{kind}: {value:?}");
    }
}

#[test]
fn an_answer_that_is_something_else_is_refused_for_what_it_is() {
    for (kind, values, wrong) in [
        (
            FieldKind::Text,
            &["a\nb", "a\u{0}b", "a\u{1b}[2J", "\u{fffd}"][..],
            WrongKind::Unreadable,
        ),
        (FieldKind::LongText, &["a\u{0}b", "x\u{85}y"], WrongKind::Unreadable),
        (
            FieldKind::Number,
            &["twelve", "1,5", "1.", ".5", "+1", "1e3", "--1", "1234567890123456", "\u{663}"],
            WrongKind::Number,
        ),
        (
            FieldKind::Date,
            &["2027-02-29", "31.03.2027", "2027-3-1", "20270331", "2027-03-3x", "2027-13-01"],
            WrongKind::Date,
        ),
        (
            FieldKind::Email,
            &["asha", "@example.com", "asha@host", "a@b@c.d ", "a b@c.de", "a@-b.de", "a@b..de"],
            WrongKind::Email,
        ),
        (FieldKind::Phone, &["1234", "call me", "+91 98000 x 00000"], WrongKind::Phone),
        (FieldKind::Choice, &["window", "Window,Aisle & door", "<option>"], WrongKind::Choice),
    ] {
        for value in values {
            assert_eq!(one(kind, value), Err(wrong.clone()), "{kind}: {value:?}");
        }
    }
}

#[test]
fn what_is_missing_twice_too_long_or_not_asked_is_named_all_at_once() {
    let mut name = field("name", FieldKind::Text);
    (name.required, name.length_max) = (true, 5);
    let mut phone = field("phone", FieldKind::Phone);
    phone.required = true;
    let form = form(vec![name, phone, field("note", FieldKind::LongText)]).checked().expect("ok");
    let wrong = |pairs: &[(&str, &str)]| {
        let wrong = form.answers(&sent(pairs)).expect_err("it will not do");
        wrong.into_iter().map(|wrong| (wrong.field, wrong.kind)).collect::<Vec<_>>()
    };
    let missing = |id: &str| (id.to_owned(), WrongKind::Missing);
    assert_eq!(wrong(&[]), [missing("name"), missing("phone")]);
    assert_eq!(wrong(&[("phone", "98000 00000")]), [missing("name")]);
    let all = [("name", "Ravindra"), ("phone", "1"), ("note", "a"), ("note", "a"), ("age", "7")];
    assert_eq!(
        wrong(&all).into_iter().map(|(_, kind)| kind).collect::<Vec<_>>(),
        [WrongKind::TooLong(5), WrongKind::Phone, WrongKind::Twice, WrongKind::Unknown]
    );
    // Two code units each, as a browser counts them.
    let good = sent(&[("name", "\u{1f695}\u{1f695}x"), ("phone", "98000 00000")]);
    let answers = form.answers(&good).expect("it will do");
    assert_eq!(answers.len(), 2, "nothing is kept of what was not answered");
    assert_eq!(answers[0].label, "The name");
    let hostile: Vec<_> =
        (0..10_000).map(|n| (format!("f{n}").repeat(50), String::new())).collect();
    let told = form.answers(&hostile).expect_err("it will not do");
    assert!(told.len() < 20 && told.iter().all(|wrong| wrong.field.len() <= 64), "{}", told.len());
}

#[test]
fn a_form_that_cannot_be_shown_or_filled_in_is_refused_by_its_field() {
    let text = |change: fn(&mut Field)| {
        let mut field = field("name", FieldKind::Text);
        change(&mut field);
        vec![field]
    };
    let choice = |options: &[&str]| {
        let mut field = field("seat", FieldKind::Choice);
        field.options = options.iter().map(|option| (*option).to_owned()).collect();
        vec![field]
    };
    let long = |n: usize| {
        let mut field = field(&format!("f{n}"), FieldKind::LongText);
        field.length_max = LENGTH_MAX;
        field
    };
    for (fields, at) in [
        (Vec::new(), "fields"),
        ((0..=FIELDS_MAX).map(|n| field(&format!("f{n}"), FieldKind::Date)).collect(), "fields"),
        (vec![field("a", FieldKind::Text), field("a", FieldKind::Date)], "fields.1.id"),
        (text(|field| field.id = NONCE.into()), "fields.0.id"),
        (text(|field| field.id = "a b".into()), "fields.0.id"),
        (text(|field| field.label = "\u{7}".into()), "fields.0.label"),
        (text(|field| field.length_max = 0), "fields.0.length_max"),
        (text(|field| field.length_max = LENGTH_MAX + 1), "fields.0.length_max"),
        (text(|field| field.options = vec!["a".into()]), "fields.0.options"),
        (choice(&[]), "fields.0.options"),
        (choice(&["a", "b", "a"]), "fields.0.options.2"),
        (choice(&["a", " b"]), "fields.0.options.1"),
        (choice(&["a", ""]), "fields.0.options.1"),
        ((0..4).map(long).collect(), "fields"),
    ] {
        let refused = form(fields).checked().expect_err("it cannot be used");
        assert_eq!(refused.field, at, "{refused}");
    }
    assert!(form((0..3).map(long).collect()).checked().is_ok());
}
