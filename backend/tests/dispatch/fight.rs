//! Two backends that want the same vehicles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_protocol::order::OrderState;

use crate::stores;
use crate::world::{Busy, World, device};

const RULES: DispatchRules =
    DispatchRules { offer_ms: 3_600_000, search_ms: 7_200_000, ..DispatchRules::DEFAULT };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_backends_that_want_one_vehicle_give_it_to_one_order_at_a_time() {
    const ORDERS: u8 = 8;
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 1, RULES).await;
        for n in 1..=ORDERS {
            world.book(n).await;
        }
        for round in 1..=i64::from(ORDERS) {
            let ms = round * 2_500;
            tokio::join!(
                world.look(0, ms),
                world.look(1, ms),
                world.look(0, ms),
                world.look(1, ms)
            );
            let busy = world.busy().await;
            let Some(Busy::Asked(offer)) = busy.get(&device(0)).copied() else {
                panic!("round {round}: the vehicle is asked for one order: {busy:?}")
            };
            world.answer(usize::from(round % 2 == 0), 0, offer, false).await;
            // The order that it declined does not ask it again.
        }
        let asked: Vec<_> = world.orders().await.iter().map(|order| order.offers.len()).collect();
        assert_eq!(asked, [1; ORDERS as usize], "each order asked it once");
    }
}

/// Drivers who answer every offer they see, through whichever backend: the first and the last of three accept.
async fn drive(world: Arc<World>, n: usize, over: Arc<AtomicBool>) {
    let mut answered = 0;
    while !over.load(Ordering::SeqCst) {
        if let Some(Busy::Asked(offer)) = world.busy().await.get(&device(n)).copied() {
            answered += 1;
            world.answer((n + answered) % 2, n, offer, !(n + answered).is_multiple_of(3)).await;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_vehicle_of_a_small_fleet_is_ever_on_two_of_many_orders_at_two_backends() {
    const ORDERS: u8 = 24;
    const VEHICLES: usize = 6;
    let (_dir, stores) = stores().await;
    for store in stores {
        let world =
            Arc::new(World::new(store, VEHICLES, DispatchRules { batch: 3, ..RULES }).await);
        for n in 1..=ORDERS {
            world.book(n).await;
        }
        let (over, mut drivers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for n in 0..VEHICLES {
            drivers.spawn(drive(Arc::clone(&world), n, Arc::clone(&over)));
        }
        // Until every vehicle has a trip. Positions are live for a minute.
        for round in 1..24 {
            let ms = round * 2_500;
            tokio::join!(world.look(0, ms), world.look(1, ms));
            let mut busy = world.busy().await;
            while busy.values().any(|it| *it != Busy::OnTrip) {
                tokio::task::yield_now().await;
                busy = world.busy().await;
            }
            if busy.len() == VEHICLES {
                break;
            }
        }
        over.store(true, Ordering::SeqCst);
        drivers.join_all().await;
        let mut trips: BTreeMap<_, u32> = BTreeMap::new();
        for order in world.orders().await {
            assert_eq!(order.trip.is_some(), order.state == OrderState::Active);
            if let Some(trip) = order.trip {
                *trips.entry(trip.vehicle.device).or_default() += 1;
            }
        }
        assert_eq!(trips, (0..VEHICLES).map(|n| (device(n), 1)).collect());
    }
}
