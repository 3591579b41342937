-- Orders whose bodies earlier versions wrote: after this step each is written anew, and the index is empty.
CREATE INDEX ride_order_of_before ON ride_order (order_id) WHERE body_version < 2;
