package org.styleexport.harness.picture

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact

/**
 * A picture to be painted.
 *
 * @property size of it, upright.
 * @property at gives its image, scaled to a size.
 */
class Source(val size: SizeFact, val at: (SizeFact) -> Tensor)
