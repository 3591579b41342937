//! Cases: what somebody has to look at.

use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;

use super::trip::{CaseView, check_reason, orders};
use super::{Actor, Listed, OperateError, Page};
use crate::audit::AuditKind;
use crate::domain::case::Resolved;
use crate::store::Tx;
use crate::store::listing::OrderFilter;

/// The cases that nobody has looked at, or all of a page's orders, newest order first. A page is one of
/// orders: it may hold more cases than its limit.
pub async fn list(tx: &mut Tx, all: bool, page: &Page) -> Result<Listed<CaseView>, OperateError> {
    let filter = OrderFilter { with_open_cases: !all, ..OrderFilter::default() };
    let listed = orders(tx, &filter, page).await?;
    let cases = listed.items.iter().flat_map(|order| {
        let wanted = order.cases.iter().filter(move |case| all || case.resolved.is_none());
        wanted.map(move |case| CaseView::of(order, case))
    });
    Ok(Listed { items: cases.collect(), next: listed.next })
}

/// Says what was done about a case.
pub async fn resolve(
    tx: &mut Tx,
    actor: &Actor,
    id: &str,
    note: &str,
    now: Timestamp,
) -> Result<CaseView, OperateError> {
    check_reason(note)?;
    let not_found = || OperateError::not_found("case", id);
    let (order, number) = id.split_once(':').ok_or_else(not_found)?;
    let (order, number): (OrderId, u32) =
        (order.parse().map_err(|_| not_found())?, number.parse().map_err(|_| not_found())?);
    let mut stored = tx.order(order).await?.ok_or_else(not_found)?;
    let case = stored.order.cases.get_mut(number).ok_or_else(not_found)?;
    if let Some(resolved) = &case.resolved {
        let problem = format!("was resolved by {}: {}", resolved.by, resolved.note);
        return Err(OperateError::conflict("case", id, problem));
    }
    case.resolved = Some(Resolved { by: actor.name.clone(), at: now, note: note.to_owned() });
    stored.order.touch(now);
    actor.note(tx, AuditKind::CaseResolved, format!("{id}: {note}"), now).await?;
    tx.save_order(&stored).await?;
    let case = stored.order.cases.get(number).ok_or_else(not_found)?;
    Ok(CaseView::of(&stored.order, case))
}
