//! `Nesting`: the shape that nested arrays turn out to have, and whether they are regular.

/// How many axes a tensor may have.
pub const AXES_MAX: usize = 16;

/// Why arrays cannot be a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Irregular {
    /// A number stands beside arrays.
    NumberBesideArrays,
    /// An array stands beside numbers.
    ArrayBesideNumbers,
    /// An empty array stands beside arrays with arrays in them.
    EmptyBesideArrays,
    /// An array has `count` elements, but the ones before at its depth have `length`.
    Length {
        /// How many elements this one has.
        count: usize,
        /// How many the ones before have.
        length: usize,
    },
    /// There are more axes than allowed.
    TooDeep,
}

/// Places for arrays: as many axes below the middle, where a text is begun, as above it.
const PLACES: usize = 2 * AXES_MAX + 1;

/// The arrays that are open, and how long those are that have been closed.
#[derive(Clone, Debug)]
pub struct Nesting {
    /// How many values stand so far in each open array.
    counts: [usize; PLACES],
    /// How many values the arrays of each depth have, once one has been closed.
    lengths: [Option<usize>; PLACES],
    /// How many arrays are open.
    depth: usize,
    /// The most that may be open.
    deepest: usize,
    /// The depth that numbers stand at, once one has been seen.
    leaf: Option<usize>,
    /// The least depth so far: arrays up to it were open before the beginning.
    lowest: usize,
    /// How many values stood in the arrays that were open before the beginning and ended, without
    /// the one that had ended just before.
    heads: [usize; AXES_MAX],
}

impl Nesting {
    /// Nothing is open yet.
    pub const START: Nesting = Nesting {
        counts: [0; PLACES],
        lengths: [None; PLACES],
        depth: 0,
        deepest: AXES_MAX,
        leaf: None,
        lowest: 0,
        heads: [0; AXES_MAX],
    };

    /// Somewhere in the middle: nobody knows how many arrays are open.
    pub const MIDDLE: Nesting =
        Nesting { depth: AXES_MAX, deepest: 2 * AXES_MAX, lowest: AXES_MAX, ..Nesting::START };

    /// How many arrays are open.
    #[inline(always)]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// An array begins.
    #[inline(always)]
    pub fn open(&mut self) -> Result<(), Irregular> {
        if self.leaf == Some(self.depth) {
            return Err(Irregular::ArrayBesideNumbers);
        }
        if self.depth == self.deepest {
            return Err(Irregular::TooDeep);
        }
        self.depth += 1;
        self.counts[self.depth] = 0;
        Ok(())
    }

    /// Checks that a number may stand here.
    #[inline(always)]
    pub fn number_fits(&mut self) -> Result<(), Irregular> {
        self.leaf_is(self.depth)
    }

    #[inline(always)]
    fn leaf_is(&mut self, depth: usize) -> Result<(), Irregular> {
        if *self.leaf.get_or_insert(depth) == depth {
            Ok(())
        } else {
            Err(Irregular::NumberBesideArrays)
        }
    }

    /// So many values more stand in the array that is open.
    #[inline(always)]
    pub fn count(&mut self, values: usize) {
        self.counts[self.depth] += values;
    }

    /// The array that is open ends, and is a value itself.
    #[inline(always)]
    pub fn close(&mut self) -> Result<(), Irregular> {
        let count = self.counts[self.depth];
        if self.depth == self.lowest {
            self.heads[AXES_MAX - self.lowest] = count;
            self.depth -= 1;
            self.lowest -= 1;
            return Ok(());
        }
        self.depth -= 1;
        self.length_is(self.depth + 1, count)?;
        self.counts[self.depth] += 1;
        Ok(())
    }

    #[inline(always)]
    fn length_is(&mut self, depth: usize, count: usize) -> Result<(), Irregular> {
        let length = *self.lengths[depth].get_or_insert(count);
        if count == length { Ok(()) } else { Err(Irregular::Length { count, length }) }
    }

    /// Goes on with what was found from here on without knowing how many arrays are open. Nothing
    /// is open in the end if all has been closed, and nothing stood behind it.
    pub fn append(&mut self, rest: &Nesting) -> Result<(), Irregular> {
        let start = self.depth;
        let here = |depth: usize| (start + depth).checked_sub(AXES_MAX).filter(|&d| 0 < d);
        if let Some(leaf) = rest.leaf {
            self.leaf_is(here(leaf).ok_or(Irregular::NumberBesideArrays)?)?;
        }
        for (depth, length) in rest.lengths.iter().enumerate() {
            if let &Some(length) = length {
                let depth = here(depth).filter(|&depth| depth <= AXES_MAX);
                self.length_is(depth.ok_or(Irregular::TooDeep)?, length)?;
            }
        }
        for &head in &rest.heads[..AXES_MAX - rest.lowest] {
            if self.depth == 0 {
                return Err(Irregular::NumberBesideArrays);
            }
            self.count(head);
            self.close()?;
        }
        if self.depth == 0 && (rest.counts[rest.lowest] != 0 || rest.depth != rest.lowest) {
            return Err(Irregular::NumberBesideArrays);
        }
        self.count(rest.counts[rest.lowest]);
        for depth in rest.lowest + 1..=rest.depth {
            self.open()?;
            self.count(rest.counts[depth]);
        }
        Ok(())
    }

    /// Whether the array that is open has no values yet.
    pub fn is_empty(&self) -> bool {
        0 < self.depth && self.counts[self.depth] == 0
    }

    /// An array begins and ends at once.
    pub fn empty(&mut self) -> Result<(), Irregular> {
        self.open()?;
        self.close_empty()
    }

    /// The array that is open ends without values.
    pub fn close_empty(&mut self) -> Result<(), Irregular> {
        if self.leaf.is_some_and(|leaf| leaf != self.depth) {
            self.depth -= 1;
            return Err(Irregular::EmptyBesideArrays);
        }
        self.leaf = Some(self.depth);
        self.close()
    }

    /// The shape, once all is closed.
    pub fn shape(&self) -> Vec<usize> {
        let axes = self.leaf.unwrap_or(0);
        self.lengths[1..=axes].iter().map(|length| length.unwrap_or(0)).collect()
    }

    /// The JSON pointer to the value that is next, in a member of that pointer.
    pub fn pointer(&self, member: &str) -> String {
        let mut pointer = member.to_owned();
        for count in &self.counts[1..=self.depth] {
            pointer.push('/');
            pointer.push_str(&count.to_string());
        }
        pointer
    }
}
