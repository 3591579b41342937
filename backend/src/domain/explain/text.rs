//! An explanation for people: what a fare inspector reads.

use std::fmt;

use super::Explanation;
use crate::domain::course::{Audit, Verdict};
use crate::domain::words::{grouped, metres, rupees};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, version) = &self.tariff;
        writeln!(f, "Order    {}", self.order)?;
        if let Some(trip) = &self.trip {
            writeln!(f, "Trip     {trip}")?;
        }
        writeln!(f, "Tariff   {code} version {version}, fixed with the quote")?;
        writeln!(f, "Charged  {}: {}", rupees(self.total_paise), self.why)?;
        writeln!(f, "\nThe fare")?;
        for line in &self.lines {
            let (title, amount) = (&line.title, line.amount_paise.to_string());
            writeln!(f, "  {title:<22} {amount:>10}   {}", line.formula)?;
        }
        writeln!(f, "  {:<22} {:>10}", "Total", self.total_paise.to_string())?;
        writeln!(f, "\nWhere the figures come from")?;
        for input in &self.inputs {
            writeln!(f, "  {:<18} {:<24} {}", input.name, input.value, input.source)?;
        }
        self.write_events(f)?;
        self.write_checks(f)
    }
}

impl Explanation {
    fn write_events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.events.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nThe events of the trip")?;
        for event in &self.events {
            let (m, mm) = (grouped(event.odometer_mm / 1000), event.odometer_mm % 1000);
            write!(
                f,
                "  {}  {:<28} odometer {m}.{mm:03} m, {}",
                event.at, event.what, event.event
            )?;
            match &event.refused {
                Some(refused) => writeln!(f, "; had no effect: {refused}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }

    fn write_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = self.not_computed {
            writeln!(f, "\nRecomputed from the events: {why}")?;
        } else if self.equal {
            writeln!(f, "\nRecomputed from the events: equal")?;
        } else {
            writeln!(f, "\nRecomputed from the events: NOT EQUAL")?;
        }
        for mismatch in &self.mismatches {
            writeln!(f, "  {mismatch}")?;
        }
        self.audit.as_ref().map_or(Ok(()), |audit| write_audit(f, audit))
    }
}

fn write_audit(f: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let verdict = match audit.verdict {
        Verdict::Agrees => "agrees with the odometer",
        Verdict::Differs => "DIFFERS from the odometer",
        Verdict::Incomplete => "is not complete enough to tell",
    };
    let (sign, bp) = (if audit.difference_bp < 0 { "-" } else { "+" }, audit.difference_bp.abs());
    writeln!(f, "The trail {verdict}")?;
    writeln!(
        f,
        "  odometer {}, trail {}: {:+} m ({sign}{}.{:02} %), within {} is equal",
        metres(audit.odometer_m),
        metres(audit.trail_m),
        audit.difference_m,
        bp / 100,
        bp % 100,
        metres(audit.tolerance_m)
    )?;
    for (place, (_, measured)) in audit.stretches.iter().enumerate() {
        let refused: Vec<_> =
            measured.refused.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let refused = if refused.is_empty() { "none".into() } else { refused.join(", ") };
        writeln!(
            f,
            "  stretch {}: {} of {} fixes; bridged {} where fixes were lost and {} where there were \
             none; refused: {refused}; lost: {}",
            place + 1,
            metres(measured.distance_m),
            grouped(measured.fixes),
            metres(measured.declared_m),
            metres(measured.silent_m),
            grouped(measured.lost)
        )?;
    }
    Ok(())
}
