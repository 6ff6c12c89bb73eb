//! `isotherm bench`: the peer-free measurements, on this machine, now.
