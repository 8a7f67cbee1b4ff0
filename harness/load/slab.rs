//! Things that come and go, named by small numbers, with a serial number that tells a new tenant from an old one.

/// A name that is never used twice: the place, and which tenant of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub index: u32,
    serial: u32,
}

impl Key {
    /// The key as the kernel keeps it for us.
    pub fn to_word(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.index)
    }

    pub fn from_word(word: u64) -> Key {
        Key {
            index: word as u32,
            serial: (word >> 32) as u32,
        }
    }
}

pub struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub fn insert(&mut self, value: T) -> Key {
        match self.free.pop() {
            Some(index) => {
                let place = &mut self.places[index as usize];
                place.1 = Some(value);
                Key {
                    index,
                    serial: place.0,
                }
            }
            None => {
                self.places.push((0, Some(value)));
                Key {
                    index: (self.places.len() - 1) as u32,
                    serial: 0,
                }
            }
        }
    }

    pub fn get(&self, key: Key) -> Option<&T> {
        let (serial, value) = self.places.get(key.index as usize)?;
        value.as_ref().filter(|_| *serial == key.serial)
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (serial, value) = self.places.get_mut(key.index as usize)?;
        value.as_mut().filter(|_| *serial == key.serial)
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        let (serial, value) = self.places.get_mut(key.index as usize)?;
        if *serial != key.serial {
            return None;
        }
        let removed = value.take()?;
        *serial = serial.wrapping_add(1);
        self.free.push(key.index);
        Some(removed)
    }

    /// The key of whatever is in the place now.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        let (serial, value) = self.places.get(index as usize)?;
        value.as_ref().map(|_| Key {
            index,
            serial: *serial,
        })
    }

    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        (0..self.places.len() as u32).filter_map(|index| self.key_at(index))
    }

    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_open_a_new_tenants_door() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_eq!(first.index, second.index);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"b"));
        assert_eq!(slab.len(), 1);
    }
}
