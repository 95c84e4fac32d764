/* srcerrno.h: test code.  SRC's errors by their documented names; the values are ours. */
#ifndef SRCERRNO_H
#define SRCERRNO_H

#define SRC_OK	      0
#define SRC_SUBMSG    (SRC_EMU_PICK(-711, -692))
#define SRC_SUBICMD   (SRC_EMU_PICK(-712, -691))
#define SRC_NONAME    (SRC_EMU_PICK(-721, -702))
#define SRC_NOPATH    (SRC_EMU_PICK(-722, -701))
#define SRC_BADNSIG   (SRC_EMU_PICK(-723, -704))
#define SRC_BADFSIG   (SRC_EMU_PICK(-724, -703))
#define SRC_NOCONTACT (SRC_EMU_PICK(-725, -706))
#define SRC_NOREC     (SRC_EMU_PICK(-726, -705))
/* not documented, but somebody has to say it */
#define SRC_EMU_INOPERATIVE (SRC_EMU_PICK(-731, -712))
#define SRC_EMU_ACTIVE	    (SRC_EMU_PICK(-732, -711))
#define SRC_EMU_SIGNALS	    (SRC_EMU_PICK(-733, -714))
#define SRC_EMU_NOT_PASSED  (SRC_EMU_PICK(-734, -713))
#define SRC_EMU_TIMED_OUT   (SRC_EMU_PICK(-735, -716))

#endif
