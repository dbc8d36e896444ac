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

/// The arrays that are open, and how long those are that have been closed.
#[derive(Clone, Debug)]
pub struct Nesting {
    /// How many values stand so far in each open array; the first place is outside of all.
    counts: [usize; AXES_MAX + 1],
    /// How many values the arrays of each depth have, once one has been closed.
    lengths: [Option<usize>; AXES_MAX + 1],
    /// How many arrays are open.
    depth: usize,
    /// The depth that numbers stand at, once one has been seen.
    leaf: Option<usize>,
}

impl Nesting {
    /// Nothing is open yet.
    pub const START: Nesting =
        Nesting { counts: [0; AXES_MAX + 1], lengths: [None; AXES_MAX + 1], depth: 0, leaf: None };

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
        if self.depth == AXES_MAX {
            return Err(Irregular::TooDeep);
        }
        self.depth += 1;
        self.counts[self.depth] = 0;
        Ok(())
    }

    /// Checks that a number may stand here.
    #[inline(always)]
    pub fn number_fits(&mut self) -> Result<(), Irregular> {
        match self.leaf {
            Some(leaf) if leaf == self.depth => Ok(()),
            Some(_) => Err(Irregular::NumberBesideArrays),
            None => {
                self.leaf = Some(self.depth);
                Ok(())
            }
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
        let length = *self.lengths[self.depth].get_or_insert(count);
        self.depth -= 1;
        if count != length {
            return Err(Irregular::Length { count, length });
        }
        self.counts[self.depth] += 1;
        Ok(())
    }

    /// An array begins and ends at once.
    pub fn empty(&mut self) -> Result<(), Irregular> {
        self.open()?;
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
